//! P2: from the POST of a message to the first piece of the answer on an open stream, against the same model
//! asked directly. Warm sessions and sessions just made take turns with the direct way.
//!
//! Whether a slow sandbox shows in it is measured on sessions whose model says a word and then calls a tool. In
//! every other one the server's zygote, which makes its sandboxes, is stopped with SIGSTOP for two seconds: a
//! sandbox that takes so long, for whatever reason. The tool's result proves that it did.
//!
//! The model holds the rest of its answer back until the first piece was seen: previews of a message that is
//! in the log already are not sent, and an instant answer would be in the log at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::sync::Notify;

use crate::api::{Api, Previews};
use crate::client::{Connection, EventStream, Target};
use crate::counters::{self, Reading, Used};
use crate::model::{Script, Token};
use crate::outcome::{AtMost, Outcome};
use crate::rig::{Rig, TURN_WAIT, idle};
use crate::samples::Samples;

/// How long a slow sandbox takes.
const DELAY: Duration = Duration::from_secs(2);

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    rig.without_pool()?;
    let (server, mut api) = rig.start_with_api().await?;
    let rounds = rig.options.few_or(15, 200);
    let seen = Arc::new(Notify::new());
    let script = Script {
        seen: Some(seen.clone()),
        ..Script::default()
    };
    let direct_token = rig.model.expect(script.clone());
    let model = Target {
        address: rig.model.address(),
        key: "none".to_owned(),
    };
    let (mut direct, mut warm, mut cold) =
        (Samples::default(), Samples::default(), Samples::default());
    let mut used = Used::default();
    for _ in 0..rounds {
        direct.push(directly(&model, direct_token, &seen).await?);
        // The past of a session is short, so that it doesn't show in the figure.
        let session = api.create_session().await?;
        let token = rig.model.expect(script.clone());
        let mut stream = api.stream(&session, Previews::On).await?;
        cold.push(through_server(&mut api, &session, token, &mut stream, &seen).await?);
        let before = Reading::of(server.process)?;
        warm.push(through_server(&mut api, &session, token, &mut stream, &seen).await?);
        used = used.plus(before.until(&Reading::of(server.process)?));
        let floor = rig.floor.clone();
        tokio::task::spawn_blocking(move || floor.measure()).await??;
    }
    let (direct, warm, cold) = (direct.summary(), warm.summary(), cold.summary());
    outcome.judged(
        "added to the model, p50",
        warm.p50 - direct.p50,
        "ms",
        AtMost(5.0),
    );
    outcome.figure(
        "ratio to the model asked directly, p50",
        warm.p50 / direct.p50,
        "×",
    );
    let syncs = (warm.p50 - direct.p50) / rig.floor.summary().sync.p50;
    outcome.figure("added, in fdatasyncs of the floor", syncs, "×");
    let difference = cold.p50 / warm.p50;
    outcome.figure("session just made to warm session, p50", difference, "×");
    outcome.used("turn", &used, rounds);
    outcome.distribution("directly", direct);
    outcome.distribution("through the server, warm session", warm);
    outcome.distribution("through the server, session just made", cold);
    slow_sandboxes(rig, outcome, &mut api, server.process, &seen).await?;
    server.stop().await
}

async fn slow_sandboxes(
    rig: &Rig<'_>,
    outcome: &mut Outcome,
    api: &mut Api,
    server: u32,
    seen: &Arc<Notify>,
) -> anyhow::Result<()> {
    let script = Script {
        tool_calls: 1,
        talks: true,
        seen: Some(seen.clone()),
        ..Script::default()
    };
    let (mut prompt, mut slow) = (Samples::default(), Samples::default());
    for _ in 0..rig.options.few_or(1, 40) {
        for (delay, samples) in [(Duration::ZERO, &mut prompt), (DELAY, &mut slow)] {
            let token = rig.model.expect(script.clone());
            samples.push(delayed(api, token, server, delay, seen).await?);
        }
    }
    let (prompt, slow) = (prompt.summary(), slow.summary());
    outcome.judged(
        "change by a sandbox that takes two seconds, p50",
        100.0 * (slow.p50 / prompt.p50 - 1.0),
        "%",
        AtMost(5.0),
    );
    outcome.distribution("first text before a tool call, sandbox not delayed", prompt);
    outcome.distribution("the same, sandbox delayed by two seconds", slow);
    Ok(())
}

/// To the first preview in a new session whose sandbox is ready after `delay` at the earliest; then the turn is
/// read to its end.
async fn delayed(
    api: &mut Api,
    token: Token,
    server: u32,
    delay: Duration,
    seen: &Notify,
) -> anyhow::Result<Duration> {
    let stopped = match delay.is_zero() {
        true => None,
        false => Some(Stopped::process(counters::zygote_of(server)?)?),
    };
    let session = api.create_session().await?;
    let mut stream = api.stream(&session, Previews::On).await?;
    let begun = Instant::now();
    let taken = first_piece(api, &session, token, &mut stream, seen).await?;
    tokio::time::sleep_until((begun + delay).into()).await;
    drop(stopped);
    let signs = ["agent.tool_result", "session.status_idle", "session.error"];
    let frame = tokio::time::timeout(TURN_WAIT, stream.wait_for(&signs)).await??;
    ensure!(
        frame.event == "agent.tool_result" && !frame.data.contains("\"is_error\":true"),
        "{}: {}",
        frame.event,
        frame.data
    );
    ensure!(begun.elapsed() >= delay, "the sandbox was not delayed");
    // The rest of the second answer.
    seen.notify_one();
    idle(&mut stream).await?;
    Ok(taken)
}

/// A process that does nothing until this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn process(id: u32) -> anyhow::Result<Self> {
        let process = i32::try_from(id).ok().and_then(Pid::from_raw);
        let process = process.context("no process id")?;
        kill_process(process, Signal::STOP)?;
        Ok(Self(process))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        // It may have ended meanwhile, and does nothing then either.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// To the first piece of text; then the answer is read to its end.
async fn directly(model: &Target, token: Token, seen: &Notify) -> anyhow::Result<Duration> {
    // The server keeps its connection, so opening ours is not part of the figure.
    let connection = Connection::open(model).await?;
    let message = json!({ "role": "user", "content": format!("Go on. {token}") });
    let body = json!({ "model": "any", "max_tokens": 100, "stream": true, "messages": [message] });
    let begun = Instant::now();
    let mut stream = connection.post_stream("/v1/messages", &body).await?;
    stream.wait_for(&["content_block_delta"]).await?;
    let taken = begun.elapsed();
    seen.notify_one();
    while stream.next().await?.is_some() {}
    Ok(taken)
}

/// To the first preview; then the turn is read to its end.
async fn through_server(
    api: &mut Api,
    session: &str,
    token: Token,
    stream: &mut EventStream,
    seen: &Notify,
) -> anyhow::Result<Duration> {
    let taken = first_piece(api, session, token, stream, seen).await?;
    idle(stream).await?;
    Ok(taken)
}

/// To the first preview.
async fn first_piece(
    api: &mut Api,
    session: &str,
    token: Token,
    stream: &mut EventStream,
    seen: &Notify,
) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    // The preview may come before the answer of the POST.
    let first = async {
        let signs = ["event_delta", "agent.message", "session.error"];
        let frame = tokio::time::timeout(TURN_WAIT, stream.wait_for(&signs)).await;
        let frame = frame.context("no sign of an answer")??;
        ensure!(
            frame.event == "event_delta",
            "no preview but {}: {}",
            frame.event,
            frame.data
        );
        let taken = begun.elapsed();
        seen.notify_one();
        Ok(taken)
    };
    let (taken, _said) = tokio::try_join!(first, api.say(session, token))?;
    Ok(taken)
}
