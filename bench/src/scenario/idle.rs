//! P6: what a server costs that has nothing to do: memory, processes, its start, and the wake-up of a session
//! with a long past against that of one with a short past.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::api::{Api, Previews};
use crate::client::EventStream;
use crate::counters::{Reading, Used, descendants_of_driver, resident_kib};
use crate::model::{Script, Token};
use crate::outcome::{AtMost, Outcome};
use crate::rig::{Rig, idle};
use crate::samples::Samples;
use crate::server::Server;

const MEMORY_MIB_MAX: f64 = 40.0;
const READY_MS_MAX: f64 = 150.0;
const WAKE_MS_MAX: f64 = 10.0;
const BINARY_MIB_MAX: f64 = 40.0;

/// A session whose turns are counted at the model.
struct Sleeper {
    session: String,
    token: Token,
}

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    rig.without_pool()?;
    let (server, mut api) = rig.start_with_api().await?;
    outcome.figure(
        "ready with an empty folder",
        server.ready_after.as_secs_f64() * 1e3,
        "ms",
    );
    outcome.judged(
        "memory, fresh",
        mib(&server)?,
        "MiB",
        AtMost(MEMORY_MIB_MAX),
    );
    let binary = std::fs::metadata(rig.options.server()?)?.len() as f64 / f64::from(1 << 20);
    outcome.judged("binary", binary, "MiB", AtMost(BINARY_MIB_MAX));

    let stored = rig.options.sessions();
    // The server has one of its own, which makes sandboxes.
    let processes_before = descendants_of_driver()?.len();
    let (mut creation, before) = (Samples::default(), Reading::of(server.process)?);
    for _ in 0..stored {
        let begun = Instant::now();
        api.create_session().await?;
        creation.push(begun.elapsed());
    }
    outcome.used(
        "session created",
        &before.until(&Reading::of(server.process)?),
        stored,
    );
    outcome.distribution("creation of a session", creation.summary());
    outcome.figure(
        format!("memory after creating {stored} sessions"),
        mib(&server)?,
        "MiB",
    );
    let others = descendants_of_driver()?.len();
    outcome.judged(
        format!("processes of {stored} idle sessions"),
        others.saturating_sub(processes_before) as f64,
        "",
        AtMost(0.0),
    );

    let long = sleeper(rig, &mut api, rig.options.past()).await?;
    let short = sleeper(rig, &mut api, 1).await?;
    server.stop().await?;

    let (server, api) = starts(rig, api, stored, outcome).await?;
    wake_ups(rig, server, api, [long, short], outcome).await
}

/// Starts with sessions stored, some times: the last server stays.
async fn starts(
    rig: &Rig<'_>,
    mut api: Api,
    stored: usize,
    outcome: &mut Outcome,
) -> anyhow::Result<(Server, Api)> {
    let mut ready = Samples::default();
    for _ in 1..rig.options.few_or(2, 10) {
        let server = rig.start().await?;
        ready.push(server.ready_after);
        server.stop().await?;
        let floor = rig.floor.clone();
        tokio::task::spawn_blocking(move || floor.measure()).await??;
    }
    let server = rig.start().await?;
    ready.push(server.ready_after);
    api = api.reconnected(server.target.clone()).await?;
    let ready = ready.summary();
    outcome.judged(
        format!("ready with {stored} sessions stored, p50"),
        ready.p50,
        "ms",
        AtMost(READY_MS_MAX),
    );
    let ratio = ready.p50 / rig.floor.summary().spawn.p50;
    outcome.figure("ready, in spawns of bash", ratio, "×");
    outcome.judged(
        format!("memory with {stored} sessions stored"),
        mib(&server)?,
        "MiB",
        AtMost(MEMORY_MIB_MAX),
    );
    outcome.distribution("spawn to ready", ready);
    Ok((server, api))
}

async fn wake_ups(
    rig: &Rig<'_>,
    server: Server,
    mut api: Api,
    [long, short]: [Sleeper; 2],
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let events = api.event_ids(&long.session).await?.len();
    let rounds = rig.options.few_or(5, 30);
    let mut long_stream = api.stream(&long.session, Previews::Off).await?;
    let mut short_stream = api.stream(&short.session, Previews::Off).await?;
    let first = wake(rig, &mut api, &long, &mut long_stream).await?;
    outcome.figure(
        format!("first wake-up of {events} events after a start"),
        first.as_secs_f64() * 1e3,
        "ms",
    );
    let (mut long_wakes, mut short_wakes) = (Samples::default(), Samples::default());
    let (mut long_used, mut short_used) = (Used::default(), Used::default());
    for _ in 0..rounds {
        let before = Reading::of(server.process)?;
        long_wakes.push(wake(rig, &mut api, &long, &mut long_stream).await?);
        let between = Reading::of(server.process)?;
        short_wakes.push(wake(rig, &mut api, &short, &mut short_stream).await?);
        long_used = long_used.plus(before.until(&between));
        short_used = short_used.plus(between.until(&Reading::of(server.process)?));
    }
    let (long_wakes, short_wakes) = (long_wakes.summary(), short_wakes.summary());
    outcome.judged(
        format!("wake-up of {events} events, p50"),
        long_wakes.p50,
        "ms",
        AtMost(WAKE_MS_MAX),
    );
    outcome.figure(
        "wake-up, long past to short past, p50",
        long_wakes.p50 / short_wakes.p50,
        "×",
    );
    outcome.figure(
        "server CPU, long past to short past",
        long_used.server_cpu_us / short_used.server_cpu_us.max(1.0),
        "×",
    );
    outcome.used(
        &format!("turn of the session of {events} events"),
        &long_used,
        rounds,
    );
    outcome.used("turn of the session with a short past", &short_used, rounds);
    outcome.distribution(
        format!("POST to model request, {events} events"),
        long_wakes,
    );
    outcome.distribution("POST to model request, short past", short_wakes);
    server.stop().await
}

/// A session with at least so many events, idle.
async fn sleeper(rig: &Rig<'_>, api: &mut Api, events: usize) -> anyhow::Result<Sleeper> {
    let session = api.create_session().await?;
    let token = rig.model.expect(Script::default());
    let mut stream = api.stream(&session, Previews::Off).await?;
    let sleeper = Sleeper { session, token };
    let mut stored = 0;
    while stored < events {
        wake(rig, api, &sleeper, &mut stream).await?;
        // Counting by list would cost more than the turns do.
        stored = match stored {
            0 => api.event_ids(&sleeper.session).await?.len(),
            so_far => so_far + so_far / rig.model.asked(token).len().saturating_sub(1).max(1),
        };
    }
    Ok(sleeper)
}

/// From the POST to the request at the model; then the turn is read to its end.
async fn wake(
    rig: &Rig<'_>,
    api: &mut Api,
    sleeper: &Sleeper,
    stream: &mut EventStream,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    api.say(&sleeper.session, sleeper.token).await?;
    idle(stream).await?;
    let asked = rig.model.asked(sleeper.token);
    let last = asked.last().context("the model was not asked")?;
    Ok(last.arrived.saturating_duration_since(begun))
}

fn mib(server: &Server) -> anyhow::Result<f64> {
    Ok(resident_kib(server.process)? as f64 / 1024.0)
}
