//! What becomes of a sandbox that was kept long enough, and when the model hears of a loss.

use std::time::Duration;

use hostler_testkit::{Gate, Reply};
use serde_json::json;

use super::shown::public;
use super::world::World;
use super::world_sandboxes::ended;

fn bash(command: &str) -> Reply {
    Reply::tool_use("bash", json!({"command": command}))
}

#[tokio::test]
async fn one_that_was_kept_long_enough_is_replaced_between_turns_and_the_model_is_told() {
    let world = World::new().await.with_keep(Duration::ZERO);
    let gate = Gate::new();
    let session = world.session().await;
    world.model.reply(bash("echo file > kept; A=5"));
    // However old it is, it stays while a turn runs.
    world
        .model
        .reply(bash("cat kept; echo A=$A").and_wait(&gate));
    world.model.reply(Reply::text("Done."));
    let _engine = world.engine().await;
    world.say(session, "Work.").await;
    world.model.request(1).await;
    let process = world.first_process(session).expect("it is alive");
    gate.open();
    let log = public(&world.log_after_turns(session, 1).await);
    assert!(log.contains(&"gives file\nA=5\n".to_owned()), "{log:?}");
    ended(process).await;
    world.model.reply(bash("ls; echo A=$A"));
    world.model.reply(bash("echo here"));
    world.model.reply(Reply::text("Gone."));
    world.say(session, "And now?").await;
    let log = public(&world.log_after_turns(session, 2).await);
    let results: Vec<_> = log
        .iter()
        .filter(|line| line.starts_with("gives"))
        .collect();
    let told = results[2].strip_prefix("gives A=\n");
    assert!(
        told.is_some_and(|note| note.contains("a new one has taken its place")),
        "{results:?}"
    );
    // Once.
    assert_eq!(results[3], "gives here\n");
}

#[tokio::test]
async fn a_loss_is_told_with_the_first_result_that_there_is() {
    let world = World::new()
        .await
        .with_idle_stop(Duration::from_millis(100));
    world.model.reply(bash("sleep 1000 &"));
    world.model.reply(Reply::text("Done."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Work.").await;
    world.log_after_turns(session, 1).await;
    world.sandbox_ended(session).await;
    // The first call after the stop has no result of its own.
    world.model.reply(bash("sleep 600"));
    world.say(session, "Sleep.").await;
    world
        .log_when(session, |log| {
            let started = |row: &&_| is_start(row);
            log.iter().filter(started).count() == 2
        })
        .await;
    world.interrupt(session).await;
    world.log_after_turns(session, 2).await;
    world.model.reply(bash("echo here"));
    world.model.reply(Reply::text("Done."));
    world.say(session, "And now?").await;
    let log = public(&world.log_after_turns(session, 3).await);
    let told = log.iter().rfind(|line| line.starts_with("gives")).unwrap();
    assert!(
        told.contains("started again. Lost: running processes"),
        "{log:?}"
    );
}

fn is_start(row: &hostler_protocol::event::Recorded) -> bool {
    row.event.name() == "hostler.tool_started"
}
