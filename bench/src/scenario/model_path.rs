//! P7: turns without tools: from the POST to idle, less the model's own time. One after the other, then at a
//! given rate, where a turn's time begins when it was due, not when it could be sent.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::api::Api;
use crate::counters::{Reading, Used};
use crate::line::Line;
use crate::model::Script;
use crate::outcome::{AtMost, Outcome};
use crate::rig::Rig;
use crate::samples::Samples;
use crate::strace::Strace;

const ADDED_P50_MS: f64 = 0.3;
const ADDED_P99_MS: f64 = 1.0;
/// Turns of one session, so that its past does not show in the figure.
const TURNS_PER_SESSION: usize = 20;

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, api) = rig.start_with_api().await?;
    // The first turn opens connections that later ones keep.
    let mut line = Line::open(rig, &api, Script::default()).await?;
    line.turn(Instant::now()).await?;

    let mut alone = Samples::default();
    let mut used = Used::default();
    let (begun, mut turns) = (Instant::now(), 0);
    while begun.elapsed() < rig.options.step() {
        let mut line = Line::open(rig, &api, Script::default()).await?;
        let before = Reading::of(server.process)?;
        for _ in 0..TURNS_PER_SESSION {
            alone.push(
                line.turn(Instant::now())
                    .await?
                    .less(&rig.model, line.token)?,
            );
            turns += 1;
        }
        used = used.plus(before.until(&Reading::of(server.process)?));
        let floor = rig.floor.clone();
        tokio::task::spawn_blocking(move || floor.measure()).await??;
    }
    let (alone, floor) = (alone.summary(), rig.floor.summary());
    outcome.judged(
        "added by the server, p50",
        alone.p50,
        "ms",
        AtMost(ADDED_P50_MS),
    );
    outcome.judged(
        "added by the server, p99",
        alone.p99,
        "ms",
        AtMost(ADDED_P99_MS),
    );
    outcome.figure(
        "added, in fdatasyncs of the floor, p50",
        alone.p50 / floor.sync.p50,
        "×",
    );
    outcome.used("turn", &used, turns);
    outcome.distribution("one after the other", alone);
    outcome.note(
        "the goal is that of a gateway that stores nothing; a turn here is durable from its message to its end",
    );
    at_rate(rig, &api, server.process, outcome).await?;
    count_syncs(rig, &api, server.process, outcome).await?;
    server.stop().await
}

async fn count_syncs(
    rig: &Rig<'_>,
    api: &Api,
    server: u32,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    if !rig.options.strace {
        outcome.note("syncs are not counted: that takes --strace");
        return Ok(());
    }
    let mut line = Line::open(rig, api, Script::default()).await?;
    let strace = Strace::attach(server, rig.folder()).await?;
    for _ in 0..TURNS_PER_SESSION {
        line.turn(Instant::now()).await?;
    }
    let syncs = strace.finish().await? as f64;
    outcome.figure(
        "under strace: syncs per turn",
        syncs / TURNS_PER_SESSION as f64,
        "",
    );
    Ok(())
}

async fn at_rate(
    rig: &Rig<'_>,
    api: &Api,
    server: u32,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let rate = rig.options.rate.max(1);
    let turns = usize::try_from(rig.options.step().as_secs() * rate)?;
    let mut lines = Vec::new();
    for _ in 0..turns.div_ceil(TURNS_PER_SESSION).max(16) {
        lines.push(Line::open(rig, api, Script::default()).await?);
    }
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate)?);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let before = Reading::of(server)?;
    let (begun, mut running, mut added) = (Instant::now(), JoinSet::new(), Samples::default());
    let mut started = 0;
    while started < turns || !running.is_empty() {
        tokio::select! {
            due = ticks.tick(), if started < turns && !lines.is_empty() => {
                let mut line = lines.swap_remove(started % lines.len());
                started += 1;
                running.spawn(async move { (line.turn(due.into_std()).await, line) });
            }
            Some(ended) = running.join_next() => {
                let (turn, line) = ended?;
                added.push(turn?.less(&rig.model, line.token)?);
                lines.push(line);
            }
        }
    }
    let reached = turns as f64 / begun.elapsed().as_secs_f64();
    outcome.figure(format!("turns begun at {rate}/s: reached"), reached, "/s");
    outcome.used(
        &format!("turn at {rate}/s"),
        &before.until(&Reading::of(server)?),
        turns,
    );
    outcome.distribution(
        format!("at {rate} turns/s, from when each was due"),
        added.summary(),
    );
    Ok(())
}
