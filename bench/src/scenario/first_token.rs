//! P2: from the POST of a message to the first piece of the answer on an open stream, against the same model
//! asked directly. Warm sessions and sessions just made take turns with the direct way.
//!
//! The model holds the rest of its answer back until the first piece was seen: previews of a message that is
//! in the log already are not sent, and an instant answer would be in the log at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::sync::Notify;

use crate::api::{Api, Previews};
use crate::client::{Connection, EventStream, Target};
use crate::counters::{Reading, Used};
use crate::model::{Script, Token};
use crate::outcome::{AtMost, Outcome};
use crate::rig::{Rig, TURN_WAIT, idle};
use crate::samples::Samples;

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
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
    server.stop().await
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
    idle(stream).await?;
    Ok(taken)
}
