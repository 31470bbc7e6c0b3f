//! P5: from nothing to the end of the first command in a sandbox, through the API and without a server.
//!
//! Without a server our sandboxes, bubblewrap and plain `bash -c true` take turns in one loop, so that they
//! see the same load. Through the API a sample is a session: from the request that makes it to the result of its
//! first tool call on the stream, with the model's answer in between, which is instant.

mod checkpoints;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hostler_sandbox::{Call, HostOptions, Sandbox, SandboxHost, SandboxName, Spec, Tool};

use crate::api::{Api, Previews};
use crate::client::{EventStream, Target};
use crate::model::Script;
use crate::outcome::{AtMost, Outcome};
use crate::rig::{Rig, TURN_WAIT};
use crate::samples::Samples;
use crate::sse::Frame;
use crate::{bubblewrap, counters};

const STAGGER: Duration = Duration::from_millis(200);
const WARM_PER_ROUND: usize = 5;

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    without_server(rig, outcome).await?;
    let (server, api) = rig.start_with_api().await?;
    let target = server.target.clone();
    drop(api);
    let few = rig.options.few_or(3, 100);
    let mut sequential = Samples::default();
    let (mut cold_call, mut warm_call) = (Samples::default(), Samples::default());
    for _ in 0..few {
        let times = calls(rig, &target, 2).await?;
        sequential.push(times.first_result);
        cold_call.push(times.calls[0]);
        warm_call.push(times.calls[1]);
        let floor = rig.floor.clone();
        tokio::task::spawn_blocking(move || floor.measure()).await??;
    }
    let staggered = at_once(rig, &target, rig.options.few_or(3, 50), STAGGER, outcome).await;
    let burst = at_once(
        rig,
        &target,
        rig.options.few_or(10, 100),
        Duration::ZERO,
        outcome,
    )
    .await;
    let (sequential, burst) = (sequential.summary(), burst.summary());
    outcome.judged(
        "through the API, one by one, p50",
        sequential.p50,
        "ms",
        AtMost(10.0),
    );
    outcome.judged("the same, p99", sequential.p99, "ms", AtMost(50.0));
    outcome.judged("the same, a burst, p99", burst.p99, "ms", AtMost(1_000.0));
    let floor = rig.floor.summary().spawn.p50;
    outcome.figure(
        "through the API, ratio to the spawn of bash, p50",
        sequential.p50 / floor,
        "×",
    );
    let (cold_call, warm_call) = (cold_call.summary(), warm_call.summary());
    outcome.figure(
        "of it, wait of the first call for its sandbox, p50",
        cold_call.p50 - warm_call.p50,
        "ms",
    );
    outcome.distribution("session created → first result, one by one", sequential);
    outcome.distribution("call → result on the stream, first call", cold_call);
    outcome.distribution("the same, second call", warm_call);
    outcome.distribution("the same, one each 200 ms", staggered.summary());
    outcome.distribution("the same, all at once", burst);
    server.stop().await
}

async fn without_server(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let mut options = HostOptions::new(rig.folder().join("sandboxes"));
    options.launcher = rig.options.server()?;
    let host = SandboxHost::start(options).await?;
    let has_bubblewrap = bubblewrap::is_installed();
    if !has_bubblewrap {
        outcome.note("bubblewrap is not installed, so nothing is measured beside it");
    }
    let mut cold = Samples::default();
    let (mut builtin, mut process) = (Samples::default(), Samples::default());
    let mut wrapped = Samples::default();
    let rounds = rig.options.few_or(3, 100);
    for round in 0..rounds {
        let name: SandboxName = format!("bench_{round}").parse()?;
        let begun = Instant::now();
        let sandbox = host.open(&name, &Spec::default()).await?.sandbox;
        run_in(&sandbox, "true").await?;
        cold.push(begun.elapsed());
        for _ in 0..WARM_PER_ROUND {
            builtin.push(run_in(&sandbox, "true").await?);
            process.push(run_in(&sandbox, "bash -c true").await?);
            let floor = rig.floor.clone();
            tokio::task::spawn_blocking(move || floor.measure()).await??;
        }
        if has_bubblewrap {
            let workspace = rig.folder().to_owned();
            let run = move || bubblewrap::run_true(&workspace);
            wrapped.push(tokio::task::spawn_blocking(run).await??);
        }
        drop(sandbox);
        host.destroy(&name).await?;
    }
    memory(rig, &host, outcome).await?;
    checkpoints::run(rig, &host, outcome).await?;
    let (cold, builtin, process) = (cold.summary(), builtin.summary(), process.summary());
    let floor = rig.floor.summary().spawn.p50;
    outcome.judged(
        "warm `bash -c true`, ratio to the spawn of it, p50",
        process.p50 / floor,
        "×",
        AtMost(1.3),
    );
    outcome.figure(
        "warm builtin `true`, ratio to the spawn of bash, p50",
        builtin.p50 / floor,
        "×",
    );
    outcome.figure(
        "create → first command, ratio to the spawn of bash, p50",
        cold.p50 / floor,
        "×",
    );
    if has_bubblewrap {
        let wrapped = wrapped.summary();
        outcome.figure(
            "create → first command, ratio to bubblewrap, p50",
            cold.p50 / wrapped.p50,
            "×",
        );
        outcome.figure("the same, p99", cold.p99 / wrapped.p99, "×");
        outcome.distribution("bubblewrap, `bash -c true`", wrapped);
    }
    outcome.distribution("create → first command, without a server", cold);
    outcome.distribution("builtin in a warm sandbox", builtin);
    outcome.distribution("`bash -c true` in a warm sandbox", process);
    Ok(())
}

/// What idle sandboxes hold: the share of memory of all their processes.
async fn memory(rig: &Rig<'_>, host: &SandboxHost, outcome: &mut Outcome) -> anyhow::Result<()> {
    let count = rig.options.few_or(2, 20);
    let before = counters::descendants_of_driver()?;
    let mut sandboxes = Vec::new();
    for number in 0..count {
        let name: SandboxName = format!("idle_{number}").parse()?;
        let sandbox = host.open(&name, &Spec::default()).await?.sandbox;
        run_in(&sandbox, "true").await?;
        sandboxes.push((name, sandbox));
    }
    let mut kib = 0;
    for process in counters::descendants_of_driver()? {
        if !before.contains(&process) {
            kib += proportional_kib(Path::new(&format!("/proc/{process}/smaps_rollup")))?;
        }
    }
    let each = kib as f64 / count as f64;
    outcome.judged(
        "memory of an idle sandbox (Pss of its processes)",
        each,
        "KiB",
        AtMost(1_024.0),
    );
    for (name, sandbox) in sandboxes {
        drop(sandbox);
        host.destroy(&name).await?;
    }
    Ok(())
}

fn proportional_kib(rollup: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(rollup)?;
    text.lines()
        .find_map(|line| line.strip_prefix("Pss:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("no Pss")
}

async fn run_in(sandbox: &Sandbox, command: &str) -> anyhow::Result<Duration> {
    let tool = Tool::Bash {
        command: command.to_owned(),
        timeout_ms: None,
    };
    let id = "bench".to_owned();
    let begun = Instant::now();
    let output = sandbox.run(Call { id, tool }).await?;
    let taken = begun.elapsed();
    ensure!(!output.is_error, "{}", output.joined_text());
    Ok(taken)
}

struct Times {
    /// From the request for a session to the result of its first call.
    first_result: Duration,
    /// From each call on the stream to its result there.
    calls: Vec<Duration>,
}

/// A new session whose model makes so many calls, one after the other.
async fn calls(rig: &Rig<'_>, target: &Target, count: usize) -> anyhow::Result<Times> {
    let mut api = Api::new(target.clone()).await?;
    let script = Script {
        tool_calls: count,
        ..Script::default()
    };
    let token = rig.model.expect(script);
    let begun = Instant::now();
    let session = api.create_session().await?;
    let mut stream = api.stream(&session, Previews::Off).await?;
    api.say(&session, token).await?;
    let mut times = Times {
        first_result: Duration::ZERO,
        calls: Vec::new(),
    };
    for _ in 0..count {
        expect(&mut stream, "agent.tool_use").await?;
        let called = Instant::now();
        let result = expect(&mut stream, "agent.tool_result").await?;
        ensure!(
            !result.data.contains("\"is_error\":true"),
            "{}",
            result.data
        );
        times.calls.push(called.elapsed());
        if times.calls.len() == 1 {
            times.first_result = begun.elapsed();
        }
    }
    Ok(times)
}

/// The next event of this name, unless the turn ends before.
async fn expect(stream: &mut EventStream, name: &str) -> anyhow::Result<Frame> {
    let signs = [name, "session.status_idle", "session.error"];
    let frame = tokio::time::timeout(TURN_WAIT, stream.wait_for(&signs)).await??;
    ensure!(frame.event == name, "{}: {}", frame.event, frame.data);
    Ok(frame)
}

/// So many sessions, each this long after the one before.
async fn at_once(
    rig: &Rig<'_>,
    target: &Target,
    count: usize,
    apart: Duration,
    outcome: &mut Outcome,
) -> Samples {
    let begun = tokio::time::Instant::now();
    let mut running: FuturesUnordered<_> = (0..count)
        .map(|number| async move {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            tokio::time::sleep_until(begun + apart.saturating_mul(number)).await;
            calls(rig, target, 1).await
        })
        .collect();
    let mut samples = Samples::default();
    while let Some(result) = running.next().await {
        match result {
            Ok(times) => samples.push(times.first_result),
            Err(error) => outcome.failures.push(format!("{error:#}")),
        }
    }
    samples
}
