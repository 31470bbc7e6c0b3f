//! What becomes of the sandbox of a session that rests, and of one that only seems to.

use std::time::Duration;

use hostler_testkit::{Gate, Reply};
use serde_json::json;

use super::shown::public;
use super::world::World;

fn bash(command: &str) -> Reply {
    Reply::tool_use("bash", json!({"command": command}))
}

fn results(log: &[hostler_protocol::event::Recorded]) -> Vec<String> {
    let mut lines = public(log);
    lines.retain(|line| line.starts_with("gives") || line.starts_with("fails"));
    lines
}

#[tokio::test]
async fn the_sandbox_of_an_idle_session_is_stopped_and_its_files_stay() {
    let world = World::new()
        .await
        .with_idle_stop(Duration::from_millis(100));
    world
        .model
        .reply(bash("echo file > kept; A=5; mkdir d; cd d; sleep 1000 &"));
    world.model.reply(Reply::text("Done."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Work.").await;
    world.log_after_turns(session, 1).await;
    world.sandbox_ended(session).await;
    assert_eq!(
        world.workspace_file(session, "kept").as_deref(),
        Some("file\n")
    );
    world.model.reply(
        bash("cat ../kept; pwd; echo A=$A").and_tool_use("read", json!({"file_path": "kept"})),
    );
    world.model.reply(Reply::text("Gone."));
    world.say(session, "And now?").await;
    let results = results(&world.log_after_turns(session, 2).await);
    let told = "started again. Lost: running processes. The shell goes on where it was,";
    // Two calls at once: the model is told once, with whichever came first to the sandbox.
    let notes = results.iter().filter(|line| line.contains(told)).count();
    assert_eq!((results.len(), notes), (3, 1), "{results:?}");
    let shell = results
        .iter()
        .find(|line| line.contains("A="))
        .expect("the output of the shell");
    assert!(
        shell.starts_with("gives file\n/workspace/d\nA=5\n"),
        "{shell:?}"
    );
}

#[tokio::test]
async fn the_sandbox_of_a_session_in_a_turn_is_not() {
    let world = World::new().await.with_idle_stop(Duration::ZERO);
    let gate = Gate::new();
    let (busy, resting) = (world.session().await, world.session().await);
    let _engine = world.engine().await;
    world.model.reply(bash("A=5"));
    world.model.reply(bash("echo A=$A").and_wait(&gate));
    world.say(busy, "Work, and think for long.").await;
    world.model.request(1).await;
    // Between two calls of the one session, a sweep comes by and stops the sandbox of the other.
    world.model.reply(bash("true"));
    world.model.reply(Reply::text("Done."));
    world.say(resting, "Work.").await;
    world.log_after_turns(resting, 1).await;
    world.sandbox_ended(resting).await;
    world.model.reply(Reply::text("Still there."));
    gate.open();
    let results = results(&world.log_after_turns(busy, 1).await);
    assert_eq!(results.last().map(String::as_str), Some("gives A=5\n"));
}

#[tokio::test]
async fn of_too_many_idle_sandboxes_those_end_that_were_idle_for_longest() {
    let world = World::new().await.with_idle_max(1);
    let gate = Gate::new();
    let busy = world.session().await;
    let _engine = world.engine().await;
    world.model.reply(bash("A=5"));
    world.model.reply(Reply::text("Busy.").and_wait(&gate));
    world.say(busy, "Work, and think for long.").await;
    world.model.request(1).await;
    let mut rested = Vec::new();
    for _ in 0..3 {
        let session = world.session().await;
        world.model.reply(bash("true"));
        world.model.reply(Reply::text("Done."));
        world.say(session, "Work.").await;
        world.log_after_turns(session, 1).await;
        rested.push(session);
    }
    world.sandbox_ended(rested[0]).await;
    world.sandbox_ended(rested[1]).await;
    assert!(world.first_process(rested[2]).is_some());
    assert!(world.first_process(busy).is_some(), "it is not idle");
    gate.open();
    world.log_after_turns(busy, 1).await;
    world.sandbox_ended(rested[2]).await;
    assert!(world.first_process(busy).is_some(), "it was idle last");
}
