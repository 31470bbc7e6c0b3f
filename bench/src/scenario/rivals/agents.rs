//! P1 and P8 beside agents of others: sessions of many `bash true`, one alone and some at once. The instant model
//! sees from the outside when it was asked again, whoever asks.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::process::Command;
use tokio::time::timeout;

use crate::line::Line;
use crate::model::{Asked, By, Script, Token};
use crate::outcome::{AtLeast, Outcome};
use crate::rig::{Rig, idle};
use crate::samples::{Samples, Summary};
use crate::scenario::turn_overhead::overheads;

/// Sessions at once.
const MANY: usize = 8;
/// Calls of each session: theirs take seconds.
const OUR_CALLS: usize = 200;
const THEIR_CALLS: usize = 20;
/// The best of the others.
const TIMES_THE_BEST: f64 = 50.0;
const RUN_WAIT: Duration = Duration::from_secs(300);

/// An agent of others: the interpreter that its recipe needs, below its folder or on the path, and the recipe.
struct Rival {
    name: &'static str,
    interpreter: &'static str,
    recipe: &'static str,
}

const RIVALS: [Rival; 2] = [
    Rival {
        name: "opencode",
        interpreter: "python3",
        recipe: "opencode.py",
    },
    Rival {
        name: "langgraph",
        interpreter: "bin/python",
        recipe: "langgraph_sqlite.py",
    },
];

/// What the model saw of one server.
#[derive(Debug)]
struct Seen {
    overhead: Summary,
    calls_per_second: f64,
}

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let ours = ours(rig).await?;
    told("Hostler, isolated and durable", &ours, outcome);
    let mut best: Option<f64> = None;
    for rival in RIVALS {
        let home = rig.options.rivals.join(rival.name);
        if !home.is_dir() {
            outcome.note(format!("{} is not installed", rival.name));
            continue;
        }
        let seen = theirs(rig, &rival, &home.canonicalize()?).await?;
        told(rival.name, &seen, outcome);
        outcome.figure(
            format!("overhead of a turn, {} to Hostler, p50", rival.name),
            seen.overhead.p50 / ours.overhead.p50,
            "×",
        );
        best = Some(best.unwrap_or_default().max(seen.calls_per_second));
    }
    if let Some(best) = best {
        outcome.judged(
            format!("tool calls of {MANY} sessions, to the best of the others"),
            ours.calls_per_second / best,
            "×",
            AtLeast(TIMES_THE_BEST),
        );
    }
    Ok(())
}

fn told(name: &str, seen: &Seen, outcome: &mut Outcome) {
    outcome.figure(
        format!("{name}: tool calls of {MANY} sessions"),
        seen.calls_per_second,
        "/s",
    );
    outcome.distribution(format!("{name}: overhead of a turn"), seen.overhead);
}

fn script(calls: usize) -> Script {
    Script {
        by: By::Calls,
        tool_calls: calls,
        ..Script::default()
    }
}

async fn ours(rig: &Rig<'_>) -> anyhow::Result<Seen> {
    let (server, api) = rig.start_with_api().await?;
    let calls = rig.options.few_or(5, OUR_CALLS);
    let mut sides = Vec::new();
    for sessions in [1, MANY] {
        let mut lines = Vec::new();
        for _ in 0..sessions {
            lines.push(Line::open(rig, &api, script(calls)).await?);
        }
        for line in &mut lines {
            line.say().await?;
        }
        for line in &mut lines {
            idle(&mut line.stream).await?;
        }
        sides.push(lines.iter().map(|line| line.token).collect());
    }
    server.stop().await?;
    seen(rig, calls, &sides)
}

async fn theirs(rig: &Rig<'_>, rival: &Rival, home: &Path) -> anyhow::Result<Seen> {
    let calls = rig.options.few_or(2, THEIR_CALLS);
    let mut sides = Vec::new();
    for sessions in [1, MANY] {
        let tokens: Vec<Token> = (0..sessions)
            .map(|_| rig.model.expect(script(calls)))
            .collect();
        let data = tempfile::tempdir_in(rig.folder())?;
        let beside = home.join(rival.interpreter);
        let interpreter = if beside.exists() {
            beside
        } else {
            PathBuf::from(rival.interpreter)
        };
        let mut command = Command::new(interpreter);
        command
            .arg(Path::new("bench/rivals").join(rival.recipe))
            .arg(home)
            .arg(format!("http://{}", rig.model.address()))
            .arg(data.path())
            .args(tokens.iter().map(|token| format!("Go on. {token}")))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = timeout(RUN_WAIT, command.status()).await;
        let status = ended.with_context(|| format!("{} does not end", rival.name))??;
        ensure!(status.success(), "{} ended with {status}", rival.name);
        sides.push(tokens);
    }
    seen(rig, calls, &sides)
}

/// From what the model was asked: by one session alone, then by many.
fn seen(rig: &Rig<'_>, calls: usize, sides: &[Vec<Token>]) -> anyhow::Result<Seen> {
    let (mut overhead, mut calls_per_second) = (Samples::default(), 0.0);
    for tokens in sides {
        let asked: Vec<Vec<Asked>> = tokens.iter().map(|token| rig.model.asked(*token)).collect();
        for asked in &asked {
            ensure!(
                asked.len() == calls + 1,
                "{} requests for {calls} calls",
                asked.len()
            );
        }
        if let [alone] = &asked[..] {
            // The first call waits for what the others need not make.
            for ms in overheads(alone).into_iter().skip(1) {
                overhead.push_ms(ms);
            }
        } else {
            calls_per_second = rate(&asked).context("no calls")?;
        }
    }
    let overhead = overhead.summary();
    Ok(Seen {
        overhead,
        calls_per_second,
    })
}

/// From the first session's second call to the last one's end.
fn rate(asked: &[Vec<Asked>]) -> Option<f64> {
    let begun: Instant = asked
        .iter()
        .filter_map(|asked| asked.get(1)?.answered)
        .min()?;
    let ended = asked
        .iter()
        .filter_map(|asked| Some(asked.last()?.arrived))
        .max()?;
    let calls: usize = asked
        .iter()
        .map(|asked| asked.len().saturating_sub(2))
        .sum();
    Some(calls as f64 / (ended - begun).as_secs_f64())
}
