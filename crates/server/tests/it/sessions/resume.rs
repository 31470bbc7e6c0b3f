//! A server that dies while a command runs: the command goes on, and the next server delivers its
//! result. What can't be had any more is told, and nothing runs twice.

use hostler_protocol::id::SessionId;
use hostler_store::StoreOptions;
use hostler_testkit::Reply;
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::json;

use super::pipe::{self, reader};
use super::shown::public;
use super::world::World;

/// A session whose sandbox has a pipe that its first command reads from.
async fn session_with_pipe(world: &World, command: &str) -> SessionId {
    let session = world.session().await;
    world.open_sandbox(session).await;
    pipe::make(world, session);
    let run = json!({ "command": command });
    world.model.reply(Reply::tool_use("bash", run));
    session
}

#[tokio::test]
async fn a_command_goes_on_and_its_result_is_delivered_by_the_next_server() {
    let mut world = World::new().await;
    let command = "echo ran >> ran; read word < pipe; echo the end";
    let session = session_with_pipe(&world, command).await;
    world.model.reply(Reply::text("I see."));
    let first = world.engine().await;
    world.say(session, "Run.").await;
    let pipe = reader(&world, session).await;
    drop(first);
    // One dies while it waits for the result, too.
    world.reopen(StoreOptions::default());
    drop(world.engine().await);
    world.reopen(StoreOptions::default());
    let _third = world.engine().await;
    drop(pipe);
    let log = public(&world.log_after_turns(session, 1).await);
    assert!(log.contains(&"gives the end\n".to_owned()), "{log:?}");
    assert!(log.contains(&"says I see.".to_owned()), "{log:?}");
    assert_eq!(
        world.workspace_file(session, "ran").as_deref(),
        Some("ran\n")
    );
}

#[tokio::test]
async fn a_result_that_was_there_before_the_next_server_is_delivered() {
    let mut world = World::new().await;
    let command = "read word < pipe; echo the end; echo > done";
    let session = session_with_pipe(&world, command).await;
    let after = json!({"command": "echo after"});
    world.model.reply(Reply::tool_use("bash", after));
    world.model.reply(Reply::text("I see."));
    let first = world.engine().await;
    world.say(session, "Run.").await;
    let pipe = reader(&world, session).await;
    drop(first);
    drop(pipe);
    world.run_in_sandbox(session, "cat done").await;
    world.reopen(StoreOptions::default());
    let _second = world.engine().await;
    let log = public(&world.log_after_turns(session, 1).await);
    let gives: Vec<_> = log
        .iter()
        .filter(|line| line.starts_with("gives"))
        .collect();
    assert_eq!(gives, ["gives the end\n", "gives after\n"], "{log:?}");
}

#[tokio::test]
async fn an_interrupt_after_the_restart_ends_the_command() {
    let mut world = World::new().await;
    let session = session_with_pipe(&world, "cat pipe; echo never > never").await;
    let first = world.engine().await;
    world.say(session, "Run.").await;
    let pipe = reader(&world, session).await;
    drop(first);
    world.reopen(StoreOptions::default());
    world.interrupt(session).await;
    let _second = world.engine().await;
    let log = public(&world.log_after_turns(session, 1).await);
    let interrupted = |line: &String| line.starts_with("fails Tool execution was interrupted");
    assert!(log.iter().any(interrupted), "{log:?}");
    // The reader is gone, though nobody was waiting for it.
    let wait = move || poll(&mut [PollFd::new(&pipe, PollFlags::ERR)], None);
    assert_eq!(tokio::task::spawn_blocking(wait).await.unwrap(), Ok(1));
    world.model.reply(Reply::tool_use(
        "bash",
        json!({"command": "ls never; echo awake"}),
    ));
    world.model.reply(Reply::text("Good."));
    world.say(session, "Are you there?").await;
    let log = public(&world.log_after_turns(session, 2).await);
    let awake = |line: &String| line.contains("No such file") && line.ends_with("awake\n");
    assert!(log.iter().any(awake), "{log:?}");
}

#[tokio::test]
async fn what_was_lost_with_its_sandbox_is_told_as_unknown() {
    let mut world = World::new().await;
    let session = session_with_pipe(&world, "read word < pipe; echo the end").await;
    let look = json!({"command": "echo looked"});
    world.model.reply(Reply::tool_use("bash", look));
    world.model.reply(Reply::text("I see."));
    let first = world.engine().await;
    world.say(session, "Run.").await;
    let pipe = reader(&world, session).await;
    drop(first);
    world.kill_sandbox(session).await;
    drop(pipe);
    world.reopen(StoreOptions::default());
    let _second = world.engine().await;
    let log = public(&world.log_after_turns(session, 1).await);
    let unknown = |line: &String| line.contains("may or may not have taken effect");
    assert!(log.iter().any(unknown), "{log:?}");
    // The sandbox that comes next says what was lost with the last one.
    let told = |line: &String| line.contains("looked") && line.contains("was restarted");
    assert!(log.iter().any(told), "{log:?}");
}
