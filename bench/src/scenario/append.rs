//! P3: how many messages are acknowledged in a second, by 1, 16 and 50 writers.
//!
//! The sessions' model waits at a gate, so the messages queue and the figure is that of the log alone. Every
//! acknowledged event must be in the list afterwards, once.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::api::{Api, say};
use crate::client::{Connection, Target};
use crate::counters::Reading;
use crate::floor::Rate;
use crate::model::{Script, Token};
use crate::outcome::{AtMost, Outcome};
use crate::rig::Rig;
use crate::samples::Samples;
use crate::strace::Strace;

const WRITERS: [usize; 3] = [1, 16, 50];
/// Below the 1,000 that a session lets wait.
const MESSAGES_PER_SESSION: usize = 900;
/// Sessions are made for this rate; a server that is faster ends the step early, and the rate still holds.
const RATE_MAX: u64 = 15_000;
/// What one acknowledged event may cost at 50 writers.
const CPU_US_PER_EVENT: f64 = 40.0;
const SYNCS_PER_EVENT: f64 = 0.3;
/// Appends of single rows are measured for so long on both sides of a step.
const SYNC_WINDOW: Duration = Duration::from_millis(300);

/// A session and the ids that were acknowledged in it.
type Filled = (String, Vec<String>);

pub(super) struct Step {
    pub(super) latency: Samples,
    pub(super) seconds: f64,
    filled: Vec<Filled>,
    pub(super) failures: Vec<String>,
}

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, mut api) = rig.start_with_api().await?;
    let (open, gate) = watch::channel(false);
    for writers in WRITERS {
        let work = blocked_sessions(rig, &mut api, &gate, writers).await?;
        let syncs = sync_rate(rig).await?;
        let (before, own) = (
            Reading::of(server.process)?,
            Reading::of(std::process::id())?,
        );
        let step = write(&server.target, work, rig.options.step()).await?;
        let used = before.until(&Reading::of(server.process)?);
        let own = own.until(&Reading::of(std::process::id())?);
        let syncs = syncs.and(sync_rate(rig).await?);

        let events = step.latency.len();
        let rate = events as f64 / step.seconds;
        let many = writers == 50;
        outcome.figure(format!("{writers} writers: acknowledged"), rate, "/s");
        outcome.figure(
            format!("{writers} writers: ratio to single synced rows"),
            rate / syncs.per_second(),
            "×",
        );
        outcome.used(&format!("event, {writers} writers"), &used, events);
        if many {
            let cpu = used.server_cpu_us / events.max(1) as f64;
            outcome.judged(
                "server CPU per event, all in",
                cpu,
                "µs",
                AtMost(CPU_US_PER_EVENT),
            );
        }
        outcome.figure(
            format!("{writers} writers: the driver's own CPU per event"),
            own.server_cpu_us / events.max(1) as f64,
            "µs",
        );
        outcome.distribution(
            format!("{writers} writers: POST to 200"),
            step.latency.summary(),
        );
        outcome.failures.extend(step.failures.iter().cloned());
        judge(&mut api, &step.filled, outcome).await?;
    }
    count_syncs(rig, &mut api, &gate, server.process, outcome).await?;
    let stopped = server.stop().await;
    drop(open);
    stopped
}

/// For each writer its sessions, each in a turn whose model does not answer.
pub(super) async fn blocked_sessions(
    rig: &Rig<'_>,
    api: &mut Api,
    gate: &watch::Receiver<bool>,
    writers: usize,
) -> anyhow::Result<Vec<Vec<(String, Token)>>> {
    let messages = rig.options.step().as_secs() * RATE_MAX.min(3_000 * writers as u64);
    let sessions = (messages as usize)
        .div_ceil(MESSAGES_PER_SESSION)
        .div_ceil(writers);
    let mut all = Vec::new();
    for _ in 0..writers {
        let mut own = Vec::new();
        for _ in 0..sessions {
            let session = api.create_session().await?;
            let script = Script {
                gate: Some(gate.clone()),
                ..Script::default()
            };
            let token = rig.model.expect(script);
            api.say(&session, token).await?;
            own.push((session, token));
        }
        all.push(own);
    }
    Ok(all)
}

async fn sync_rate(rig: &Rig<'_>) -> anyhow::Result<Rate> {
    let floor = rig.floor.clone();
    tokio::task::spawn_blocking(move || floor.measure_syncs(SYNC_WINDOW)).await?
}

/// Every writer on a connection of its own, from one session to the next.
pub(super) async fn write(
    target: &Target,
    work: Vec<Vec<(String, Token)>>,
    during: Duration,
) -> anyhow::Result<Step> {
    let mut writers = JoinSet::new();
    let mut connections = Vec::new();
    for sessions in work {
        connections.push((Connection::open(target).await?, sessions));
    }
    let begun = Instant::now();
    for (connection, sessions) in connections {
        writers.spawn(writer(connection, sessions, begun + during));
    }
    let mut step = Step {
        latency: Samples::default(),
        seconds: 0.0,
        filled: Vec::new(),
        failures: Vec::new(),
    };
    while let Some(ended) = writers.join_next().await {
        let (latency, filled, failure) = ended?;
        step.latency.extend(&latency);
        step.filled.extend(filled);
        step.failures.extend(failure);
    }
    step.seconds = begun.elapsed().as_secs_f64();
    Ok(step)
}

async fn writer(
    mut connection: Connection,
    sessions: Vec<(String, Token)>,
    until: Instant,
) -> (Samples, Vec<Filled>, Option<String>) {
    let (mut latency, mut filled) = (Samples::default(), Vec::new());
    for (session, token) in sessions {
        let mut acknowledged = Vec::new();
        while acknowledged.len() < MESSAGES_PER_SESSION && Instant::now() < until {
            let begun = Instant::now();
            match say(&mut connection, &session, token).await {
                Ok(id) => acknowledged.push(id),
                Err(error) => {
                    filled.push((session, acknowledged));
                    return (latency, filled, Some(format!("{error:#}")));
                }
            }
            latency.push(begun.elapsed());
        }
        filled.push((session, acknowledged));
    }
    (latency, filled, None)
}

async fn judge(api: &mut Api, filled: &[Filled], outcome: &mut Outcome) -> anyhow::Result<()> {
    for (session, acknowledged) in filled.iter().filter(|(_, ids)| !ids.is_empty()) {
        let (missing, doubled) = api.missing_and_doubled(session, acknowledged).await?;
        outcome.fail_unless(missing + doubled == 0, || {
            format!("{session}: {missing} acknowledged events missing, {doubled} twice")
        });
    }
    Ok(())
}

async fn count_syncs(
    rig: &Rig<'_>,
    api: &mut Api,
    gate: &watch::Receiver<bool>,
    server: u32,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    if !rig.options.strace {
        outcome.note("syncs are not counted: that takes --strace");
        return Ok(());
    }
    let work = blocked_sessions(rig, api, gate, 50).await?;
    let strace = Strace::attach(server, rig.folder()).await?;
    let step = write(&api.target, work, rig.options.step()).await?;
    let syncs = strace.finish().await? as f64 / step.latency.len().max(1) as f64;
    outcome.judged(
        "50 writers under strace: syncs per event",
        syncs,
        "",
        AtMost(SYNCS_PER_EVENT),
    );
    judge(api, &step.filled, outcome).await
}
