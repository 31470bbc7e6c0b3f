//! P1: a session of many `bash true`: from the last byte of a model's answer to the next model request.
//!
//! In between the server stores the answer and the intent, runs the command in the sandbox, stores the
//! result and asks again. The floor is measured at each request, while the server waits for its model.

use anyhow::{Context, ensure};

use crate::api::{Api, Previews};
use crate::model::{Asked, Between, Script};
use crate::outcome::{AtMost, Outcome};
use crate::rig::{Rig, TURN_WAIT, idle};
use crate::samples::Samples;
use crate::strace::Strace;

/// The first call waits for the sandbox to be made; it is told apart.
const COLD_CALLS: usize = 1;
/// Calls of the session that strace counts in; it attaches after the first.
const COUNTED_CALLS: usize = 200;

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    let (server, mut api) = rig.start_with_api().await?;
    let calls = rig.options.turns() + COLD_CALLS;
    let tenth = rig.options.turns() / 10;
    let counters_at = vec![COLD_CALLS, COLD_CALLS + tenth, calls - tenth, calls];
    let between = Between::new(rig.floor.clone(), server.process, counters_at.clone());
    let script = Script {
        tool_calls: calls,
        between: Some(between.clone()),
        ..Script::default()
    };
    let asked = turn(rig, &mut api, script, outcome).await?;

    let (cold, warm) = overheads(&asked)
        .split_at_checked(COLD_CALLS)
        .map(both)
        .context("no calls")?;
    let summary = warm.summary();
    let floor = rig.floor.summary();
    let ratio = summary.p50 / floor.turn_p50_ms();
    outcome.judged("ratio to the floor, p50", ratio, "×", AtMost(2.0));
    let tail = summary.p95 / (floor.sync.p95 + floor.spawn.p95);
    outcome.figure("ratio to the floor, p95", tail, "×");
    outcome.distribution("overhead of a turn", summary);
    outcome.distribution("with the sandbox still cold", cold.summary());

    let mut readings = counters_at.iter().map(|number| between.reading(*number));
    let mut next = || {
        readings
            .next()
            .flatten()
            .context("a reading of the counters is missing")
    };
    let (first, first_end, last, last_end) = (next()?, next()?, next()?, next()?);
    let (early, late) = (first.until(&first_end), last.until(&last_end));
    let flat = late.server_cpu_us / early.server_cpu_us.max(1.0);
    outcome.judged(
        "server CPU, last tenth to first tenth",
        flat,
        "×",
        AtMost(1.2),
    );
    outcome.used("turn", &first.until(&last_end), rig.options.turns());
    count_syncs(rig, &mut api, server.process, outcome).await?;
    server.stop().await
}

/// One message and all that follows from it, until the session is idle.
async fn turn(
    rig: &Rig<'_>,
    api: &mut Api,
    script: Script,
    outcome: &mut Outcome,
) -> anyhow::Result<Vec<Asked>> {
    let calls = script.tool_calls;
    let session = api.create_session().await?;
    let token = rig.model.expect(script);
    let mut stream = api.stream(&session, Previews::Off).await?;
    api.say(&session, token).await?;
    let mut results = 0;
    loop {
        let ends = ["agent.tool_result", "session.status_idle", "session.error"];
        let frame = tokio::time::timeout(TURN_WAIT, stream.wait_for(&ends)).await??;
        match frame.event.as_str() {
            "agent.tool_result" => {
                results += 1;
                outcome.fail_unless(!frame.data.contains("\"is_error\":true"), || {
                    format!("a tool failed: {}", frame.data)
                });
            }
            "session.error" => outcome.failures.push(frame.data),
            _idle => break,
        }
        ensure!(outcome.failures.len() < 3, "too many failures");
    }
    outcome.fail_unless(results == calls, || {
        format!("{results} results of {calls} calls")
    });
    let asked = rig.model.asked(token);
    ensure!(
        asked.len() == calls + 1,
        "{} model requests for {calls} calls",
        asked.len()
    );
    Ok(asked)
}

/// From each answer to the request after it.
pub(super) fn overheads(asked: &[Asked]) -> Vec<f64> {
    asked
        .windows(2)
        .filter_map(|pair| {
            let waited = pair[1].arrived.saturating_duration_since(pair[0].answered?);
            Some(waited.as_secs_f64() * 1e3)
        })
        .collect()
}

fn both((cold, warm): (&[f64], &[f64])) -> (Samples, Samples) {
    let samples = |all: &[f64]| {
        let mut samples = Samples::default();
        all.iter().for_each(|ms| samples.push_ms(*ms));
        samples
    };
    (samples(cold), samples(warm))
}

async fn count_syncs(
    rig: &Rig<'_>,
    api: &mut Api,
    server: u32,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    if !rig.options.strace {
        outcome.note("syncs are not counted: that takes --strace");
        return Ok(());
    }
    let session = api.create_session().await?;
    let script = Script {
        tool_calls: COUNTED_CALLS,
        ..Script::default()
    };
    let token = rig.model.expect(script);
    let mut stream = api.stream(&session, Previews::Off).await?;
    api.say(&session, token).await?;
    // strace follows children, and a sandbox can't be made while it is traced: attach to a warm one.
    tokio::time::timeout(TURN_WAIT, stream.wait_for(&["agent.tool_result"])).await??;
    let strace = Strace::attach(server, rig.folder()).await?;
    let before = rig.model.asked(token).len();
    idle(&mut stream).await?;
    let syncs = strace.finish().await?;
    let turns = rig.model.asked(token).len() - before;
    ensure!(turns > 0, "the session was idle before strace was there");
    outcome.figure(
        "under strace: syncs per turn",
        syncs as f64 / turns as f64,
        "",
    );
    Ok(())
}
