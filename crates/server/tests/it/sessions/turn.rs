//! A turn from end to end: the order of its events, what the model is sent, what tools do.

use std::time::Duration;

use hostler_store::{StoreOptions, WakeUps};
use hostler_testkit::{Gate, Reply};
use serde_json::json;

use super::shown::public;
use super::world::World;

#[tokio::test]
async fn a_turn_has_the_order_of_the_contract() {
    let world = World::new().await;
    world.model.reply(
        Reply::new()
            .and_thinking("hm", "c2ln")
            .and_text("I look.")
            .and_tool_use("bash", json!({"command": "echo $((6 * 7))"})),
    );
    world.model.reply(Reply::text("42."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "What is six times seven?").await;
    let log = world.log_after_turns(session, 1).await;
    assert_eq!(
        public(&log),
        [
            "session.status_running",
            "session.thread_status_running",
            "user.message",
            "span.model_request_start",
            "agent.thinking",
            "says I look.",
            "uses bash",
            "span.model_request_end",
            "gives 42\n",
            "span.model_request_start",
            "says 42.",
            "span.model_request_end",
            "session.thread_status_idle",
            "session.usage",
            "idle EndTurn",
        ]
    );
}

#[tokio::test]
async fn the_history_is_repeated_byte_for_byte() {
    let world = World::new().await;
    world.model.reply(
        Reply::new()
            .and_thinking("Let me  see\u{2009}…", "c2lnbmF0dXJl")
            .and_tool_use_as("toolu_1", "bash", r#"{"command":  "true"}"#),
    );
    world.model.reply(Reply::text("Done."));
    world.model.reply(Reply::text("Again."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Go.").await;
    world.log_after_turns(session, 1).await;
    world.say(session, "And again.").await;
    world.log_after_turns(session, 2).await;
    let requests: Vec<_> = world
        .model
        .requests()
        .iter()
        .map(|request| request.messages())
        .collect();
    for pair in requests.windows(2) {
        assert!(pair[1].len() > pair[0].len());
        // The last message may have grown; all before it stand as they were.
        let settled = pair[0].len() - 1;
        assert_eq!(pair[0][..settled], pair[1][..settled]);
    }
    let assistant = &requests[1][1]["content"];
    assert_eq!(assistant[0]["signature"], "c2lnbmF0dXJl");
    assert_eq!(requests[1][2]["content"][0]["tool_use_id"], "toolu_1");
}

#[tokio::test]
async fn parallel_calls_run_side_by_side() {
    let world = World::new().await;
    // The first waits for the file of the second: one after the other it would end without having met it.
    world.model.reply(
        Reply::new()
            .and_tool_use("bash", json!({"command": "touch a; for i in $(seq 200); do [ -e b ] && echo met && break; sleep 0.05; done"}))
            .and_tool_use("write", json!({"file_path": "b", "content": "x"})),
    );
    world.model.reply(Reply::text("Done."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Meet.").await;
    let log = public(&world.log_after_turns(session, 1).await);
    let has = |start: &str| log.iter().any(|line| line.starts_with(start));
    assert!(has("gives wrote") && has("gives met"), "{log:?}");
}

#[tokio::test]
async fn a_message_in_mid_turn_keeps_the_turn_open() {
    let world = World::new().await;
    let gate = Gate::new();
    world
        .model
        .reply(Reply::new().and_wait(&gate).and_text("First."));
    world.model.reply(Reply::text("Second."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "One.").await;
    world.model.request(0).await;
    world.say(session, "Two.").await;
    gate.open();
    let log = public(&world.log_after_turns(session, 1).await);
    assert_eq!(
        log.iter()
            .filter(|line| *line == "session.status_running")
            .count(),
        1
    );
    assert_eq!(log.iter().filter(|line| *line == "idle EndTurn").count(), 1);
    let position = |wanted: &str| log.iter().position(|line| line == wanted).unwrap();
    assert!(position("says First.") < position("says Second."));
    let second = world.model.request(1).await;
    assert!(
        second.text().contains("Two."),
        "the model was shown the second message"
    );
}

/// Nobody tells the runner of the second message, so that its answer to the first one is appended
/// to a log that has moved.
#[tokio::test]
async fn an_answer_that_finds_the_log_moved_is_kept() {
    let mut world = World::new().await;
    world.reopen(StoreOptions {
        wake_ups: WakeUps::Off,
        look_interval: Duration::from_millis(500),
        ..StoreOptions::default()
    });
    let gate = Gate::new();
    world
        .model
        .reply(Reply::new().and_wait(&gate).and_text("First."));
    world.model.reply(Reply::text("Second."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "One.").await;
    world.model.request(0).await;
    world.say(session, "Two.").await;
    gate.open();
    let log = public(&world.log_after_turns(session, 1).await);
    let said = log.iter().filter(|line| line.starts_with("says"));
    assert_eq!(said.collect::<Vec<_>>(), ["says First.", "says Second."]);
    assert_eq!(world.model.requests().len(), 2);
}

#[tokio::test]
async fn a_long_output_is_spilled_and_shown_in_part() {
    let world = World::new().await;
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": "seq 1 60000"})));
    world.model.reply(Reply::text("Long."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Count.").await;
    let log = public(&world.log_after_turns(session, 1).await);
    let result = log.iter().find(|line| line.starts_with("gives")).unwrap();
    assert!(result.len() < 100_000, "{} characters", result.len());
    assert!(
        result.contains("/tmp/tool_outputs/"),
        "{}",
        &result[..2_000]
    );
}

#[tokio::test]
async fn a_tool_that_is_not_offered_is_denied() {
    let world = World::new().await;
    world
        .model
        .reply(Reply::tool_use("launch_rocket", json!({})));
    world.model.reply(Reply::text("Well."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Launch.").await;
    let log = public(&world.log_after_turns(session, 1).await);
    let denial = "fails Permission to use launch_rocket has been denied.";
    assert!(log.iter().any(|line| line == denial), "{log:?}");
}

#[tokio::test]
async fn a_drained_engine_ends_and_the_next_one_goes_on() {
    let world = World::new().await;
    world.model.reply(Reply::text("One."));
    let session = world.session().await;
    let engine = world.engine().await;
    world.say(session, "1").await;
    world.log_after_turns(session, 1).await;
    engine.drain().await;
    world.say(session, "2").await;
    let mut world = world;
    world.reopen(hostler_store::StoreOptions::default());
    world.model.reply(Reply::text("Two."));
    let _engine = world.engine().await;
    let log = public(&world.log_after_turns(session, 2).await);
    assert!(log.contains(&"says Two.".to_owned()), "{log:?}");
}

/// The epochs of the runners that worked on two turns, the second right behind the first.
async fn epochs_of_two_turns(world: World) -> Vec<i64> {
    world.model.reply(Reply::text("One."));
    world.model.reply(Reply::text("Two."));
    let session = world.session().await;
    let engine = world.engine().await;
    world.say(session, "1").await;
    world.log_after_turns(session, 1).await;
    world.say(session, "2").await;
    let log = world.log_after_turns(session, 2).await;
    // A runner at rest doesn't hold up the end.
    engine.drain().await;
    let mut epochs: Vec<i64> = log
        .iter()
        .map(|row| row.epoch.0)
        .filter(|epoch| *epoch > 0)
        .collect();
    epochs.dedup();
    epochs
}

#[tokio::test]
async fn a_runner_at_rest_takes_the_next_message() {
    let world = World::new().await.with_rest(Duration::from_secs(600));
    assert_eq!(epochs_of_two_turns(world).await, [1]);
}

#[tokio::test]
async fn a_runner_that_may_not_rest_gives_its_lease_back() {
    let world = World::new().await.with_rest(Duration::ZERO);
    assert_eq!(epochs_of_two_turns(world).await, [1, 2]);
}
