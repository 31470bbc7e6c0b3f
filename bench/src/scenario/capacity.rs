//! P8: how much a machine takes: tool calls in a second, each with a process of its own and without one, beside
//! bare spawns of `bash` in the same run; and many sessions at once whose model thinks before it answers.

use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::turn_overhead::overheads;
use crate::api::{Api, Previews};
use crate::counters::{Reading, Used, resident_kib};
use crate::floor::{Rate, spawn_rate};
use crate::line::Line;
use crate::model::{Script, Token};
use crate::outcome::{AtLeast, AtMost, Outcome};
use crate::rig::{Rig, TURN_WAIT};
use crate::samples::Samples;

/// Sessions that call without a pause: some for each core, so that none waits for another's sync.
const CALLERS: usize = 16;
const PROCESS: &str = "bash -c true";
/// To the bare spawns of the same run.
const SHARE_OF_SPAWNS: f64 = 0.5;
const CALLS_WITHOUT_PROCESS: f64 = 2_000.0;
const CROWD_P99_MS: f64 = 100.0;
/// The sessions of the crowd begin within this time: it is about sessions that are there, not about their start.
const ARRIVAL: Duration = Duration::from_secs(20);

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, mut api) = rig.start_with_api().await?;
    let (mut bare, mut with, mut without) = (Rate::default(), Calls::default(), Calls::default());
    for _ in 0..rig.options.few_or(1, 3) {
        let step = rig.options.step();
        bare = bare.and(tokio::task::spawn_blocking(move || spawn_rate(step)).await??);
        with.add(call(rig, &mut api, server.process, Some(PROCESS), outcome).await?);
        without.add(call(rig, &mut api, server.process, None, outcome).await?);
    }
    outcome.figure("bare spawns of `bash -c true`", bare.per_second(), "/s");
    outcome.figure("tool calls with a process", with.rate.per_second(), "/s");
    let share = with.rate.per_second() / bare.per_second();
    outcome.judged(
        "the same, to bare spawns",
        share,
        "×",
        AtLeast(SHARE_OF_SPAWNS),
    );
    outcome.judged(
        "tool calls without a process",
        without.rate.per_second(),
        "/s",
        AtLeast(CALLS_WITHOUT_PROCESS),
    );
    outcome.used("call with a process", &with.used, with.rate.times);
    outcome.used("call without a process", &without.used, without.rate.times);
    crowd(rig, &api, server.process, outcome).await?;
    let stopped = server.stop().await;
    drop((with, without));
    stopped
}

#[derive(Debug, Default)]
struct Calls {
    rate: Rate,
    used: Used,
    /// Closed, and held: the sessions wait behind them until the server ends.
    gates: Vec<watch::Sender<bool>>,
}

impl Calls {
    fn add(&mut self, other: Calls) {
        self.rate = self.rate.and(other.rate);
        self.used = std::mem::take(&mut self.used).plus(other.used);
        self.gates.extend(other.gates);
    }
}

/// Tool calls of new sessions, whose sandboxes are warm, for the time of a step.
async fn call(
    rig: &Rig<'_>,
    api: &mut Api,
    server: u32,
    command: Option<&'static str>,
    outcome: &mut Outcome,
) -> anyhow::Result<Calls> {
    let (open, gate) = watch::channel(true);
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        let script = Script {
            tool_calls: usize::MAX,
            command,
            gate: Some(gate.clone()),
            ..Script::default()
        };
        callers.push(caller(rig, api, script).await?);
    }
    let asked = || {
        callers
            .iter()
            .map(|(_, token)| rig.model.asked(*token).len())
            .sum::<usize>()
    };
    let (before, reading, begun) = (asked(), Reading::of(server)?, Instant::now());
    tokio::time::sleep(rig.options.step()).await;
    let (times, seconds) = (asked() - before, begun.elapsed().as_secs_f64());
    let used = reading.until(&Reading::of(server)?);
    open.send(false)?;
    for (session, token) in &callers {
        judge(rig, api, session, *token, outcome).await?;
    }
    let rate = Rate { times, seconds };
    let gates = vec![open];
    Ok(Calls { rate, used, gates })
}

/// A session that calls without a pause, after its first call.
async fn caller(rig: &Rig<'_>, api: &mut Api, script: Script) -> anyhow::Result<(String, Token)> {
    let session = api.create_session().await?;
    let token = rig.model.expect(script);
    let mut stream = api.stream(&session, Previews::Off).await?;
    api.say(&session, token).await?;
    let first = ["agent.tool_result", "session.error"];
    let first = timeout(TURN_WAIT, stream.wait_for(&first)).await;
    first.context("no result of a first call")??;
    Ok((session, token))
}

/// Each request but the first follows a result, and no call may have failed.
async fn judge(
    rig: &Rig<'_>,
    api: &mut Api,
    session: &str,
    token: Token,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let asked = rig.model.asked(token).len();
    let events = api.events(session).await?;
    let results = events
        .iter()
        .filter(|event| event["type"] == "agent.tool_result");
    let (failed, good): (Vec<_>, Vec<_>) = results.partition(|result| result["is_error"] == true);
    outcome.fail_unless(good.len() + 1 >= asked && failed.is_empty(), || {
        let (good, failed) = (good.len(), failed.len());
        format!("{session}: {asked} requests, {good} good results, {failed} failed ones")
    });
    let error = events.iter().find(|event| event["type"] == "session.error");
    outcome
        .failures
        .extend(error.map(|error| format!("{session}: {error}")));
    Ok(())
}

/// Many sessions at once, each with a reader, whose model takes its time.
async fn crowd(rig: &Rig<'_>, api: &Api, server: u32, outcome: &mut Outcome) -> anyhow::Result<()> {
    let sessions = rig.options.crowd();
    let script = Script {
        tool_calls: rig.options.few_or(2, 15),
        think: Duration::from_millis(rig.options.few_or(100, 2_000) as u64),
        ..Script::default()
    };
    let arrival = if rig.options.smoke {
        Duration::ZERO
    } else {
        ARRIVAL
    };
    let mut lines = Vec::new();
    for _ in 0..sessions {
        lines.push(Line::open(rig, api, script.clone()).await?);
    }
    let before = Reading::of(server)?;
    let begun = tokio::time::Instant::now();
    let mut running = JoinSet::new();
    for (number, line) in lines.into_iter().enumerate() {
        let due = begun + arrival.mul_f64(number as f64 / sessions as f64);
        running.spawn(async move {
            tokio::time::sleep_until(due).await;
            member(line).await
        });
    }
    let (mut overhead, mut calls) = (Samples::default(), 0);
    while let Some(ended) = running.join_next().await {
        let (line, results) = ended??;
        outcome.fail_unless(results == script.tool_calls, || {
            format!(
                "{}: {results} good results of {} calls",
                line.session, script.tool_calls
            )
        });
        calls += results;
        for ms in overheads(&rig.model.asked(line.token)) {
            overhead.push_ms(ms);
        }
    }
    let summary = overhead.summary();
    outcome.judged(
        format!("{sessions} sessions at once: overhead of a turn, p99"),
        summary.p99,
        "ms",
        AtMost(CROWD_P99_MS),
    );
    outcome.figure(
        format!("{sessions} sessions at once: memory of the server"),
        resident_kib(server)? as f64 / 1024.0,
        "MiB",
    );
    outcome.used(
        "call in a crowd",
        &before.until(&Reading::of(server)?),
        calls,
    );
    outcome.distribution(
        format!("overhead of a turn, {sessions} sessions at once"),
        summary,
    );
    Ok(())
}

/// One turn of one session, and how many of its calls went well.
async fn member(mut line: Line) -> anyhow::Result<(Line, usize)> {
    line.say().await?;
    let names = [
        "agent.tool_result",
        "session.status_idle",
        "session.status_terminated",
    ];
    let mut results = 0;
    loop {
        let frame = timeout(TURN_WAIT, line.stream.wait_for(&names)).await;
        let frame = frame.with_context(|| format!("{}: no event any more", line.session))??;
        if frame.event != "agent.tool_result" {
            return Ok((line, results));
        }
        results += usize::from(!frame.data.contains("\"is_error\":true"));
    }
}
