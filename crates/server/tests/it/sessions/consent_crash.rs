//! A runner that dies behind each of its appends while calls wait for the client, with wake-ups on and
//! off: nothing is asked twice, nothing runs twice, and the session comes to the same end.

use hostler_protocol::event::{Event, Recorded, Seq, StopReason};
use hostler_protocol::id::SessionId;
use hostler_store::{StoreOptions, WakeUps};
use hostler_testkit::{RecordedRequest, Reply};
use serde_json::json;
use std::time::Duration;

use super::answers::{allow, custom_tool, give, toolset_but, waits_for};
use super::shown::public;
use super::world::World;

/// More appends than the scenario has; the test proves it.
const APPENDS_MAX: u64 = 20;

/// As a function of what it is shown, so that it answers a repeated request as it did before.
fn answer(request: &RecordedRequest) -> Reply {
    match request.text().contains("tool_result") {
        false => Reply::new()
            .and_tool_use("write", json!({"file_path": "free", "content": "x"}))
            .and_tool_use("bash", json!({"command": "echo ran >> ran"}))
            .and_tool_use("look_up", json!({"id": "7"})),
        true => Reply::text("Done."),
    }
}

fn is_over(log: &[Recorded]) -> bool {
    matches!(log.last().map(|row| &row.event), Some(Event::SessionStatusIdle(idle))
        if idle.stop_reason == StopReason::EndTurn)
}

/// The client, which outlives the server and knows what the log says: it answers the custom tool first.
async fn drive(world: &World, session: SessionId) -> Option<Vec<Recorded>> {
    loop {
        let due = |log: &[Recorded]| !waits_for(log).is_empty() || is_over(log) || log.len() == 1;
        let log = world.log_when(session, |log| world.store.is_cut_off() || due(log));
        let log = log.await;
        if is_over(&log) {
            return Some(log);
        }
        match waits_for(&log)[..] {
            [_, custom] => world.send(session, vec![give(custom, "seven")]).await,
            [asked] => world.send(session, vec![allow(asked)]).await,
            _ if log.len() == 1 => world.say(session, "Go.").await,
            _ if world.store.is_cut_off() => return None,
            _ => unreachable!("the log is due"),
        }
    }
}

struct Outcome {
    log: Vec<Recorded>,
    ran: Option<String>,
    died: bool,
}

async fn scenario(appends: Option<u64>, wake_ups: WakeUps) -> Outcome {
    let mut world = World::new().await;
    world.model.otherwise(answer);
    let options = StoreOptions {
        wake_ups,
        look_interval: Duration::from_millis(20),
        runner_appends_max: appends,
        ..StoreOptions::default()
    };
    world.reopen(options);
    let tools = json!([
        toolset_but("always_allow", "bash", "always_ask"),
        custom_tool("look_up"),
    ]);
    let session = world.session_with_tools(tools).await;
    world.open_sandbox(session).await;
    let engine = world.engine().await;
    let finished = drive(&world, session).await;
    drop(engine);
    let died = finished.is_none();
    let log = match finished {
        Some(log) => log,
        None => {
            world.reopen(StoreOptions {
                runner_appends_max: None,
                ..options
            });
            let _engine = world.engine().await;
            drive(&world, session).await.expect("no second cut")
        }
    };
    let ran = world.workspace_file(session, "ran");
    Outcome { log, ran, died }
}

/// What was said and asked, without how often it was tried. Whether a call was under way when its
/// runner died is chance, and so is whether its result can still be had.
fn story(log: &[Recorded]) -> Vec<String> {
    let of_attempts = ["span.", "error", "gives", "fails"];
    let is_attempt = |line: &String| of_attempts.iter().any(|start| line.starts_with(start));
    public(log)
        .into_iter()
        .filter(|line| !is_attempt(line))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_behind_each_append_asks_nothing_twice() {
    for wake_ups in [WakeUps::On, WakeUps::Off] {
        let whole = scenario(None, wake_ups).await;
        assert_eq!(whole.ran.as_deref(), Some("ran\n"));
        let mut deaths = 0;
        for appends in 1..=APPENDS_MAX {
            let outcome = scenario(Some(appends), wake_ups).await;
            if !outcome.died {
                break;
            }
            deaths += 1;
            let runs = outcome.ran.unwrap_or_default();
            assert!(runs.lines().count() <= 1, "ran twice: {runs}");
            let mut seq = Seq(0);
            for row in &outcome.log {
                assert_eq!(row.seq, seq.next(), "no gap");
                seq = row.seq;
            }
            assert_eq!(
                story(&outcome.log),
                story(&whole.log),
                "death behind append {appends}"
            );
        }
        assert!((4..APPENDS_MAX).contains(&deaths), "{deaths} deaths");
    }
}
