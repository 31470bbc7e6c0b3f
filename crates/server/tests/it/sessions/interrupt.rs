//! Interrupts: while the model writes, while a tool runs, together with a new message.

use hostler_domain::session::{Input, SessionStatus};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{UserInterrupt, UserMessage};
use hostler_testkit::{Gate, Reply};
use serde_json::json;

use super::shown::public;
use super::world::World;

const INTERRUPTED: &str = "fails Tool execution was interrupted before completion. Please retry.";

#[tokio::test]
async fn the_model_is_cut_off() {
    let world = World::new().await;
    let gate = Gate::new();
    world.model.reply(
        Reply::new()
            .and_text("Endless")
            .and_wait(&gate)
            .and_text("never"),
    );
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Talk.").await;
    world.model.request(0).await;
    world.interrupt(session).await;
    let log = public(&world.log_after_turns(session, 1).await);
    let tail: Vec<_> = log.iter().rev().take(5).rev().collect();
    assert_eq!(
        tail,
        [
            "user.interrupt",
            "span.model_request_end",
            "session.thread_status_idle",
            "session.usage",
            "idle EndTurn",
        ]
    );
    assert!(!log.iter().any(|line| line.starts_with("says")), "{log:?}");
    // The request itself is given up, not only its answer ignored.
    world.model.abandoned(0).await;
}

#[tokio::test]
async fn a_running_tool_is_ended_and_closed() {
    let world = World::new().await;
    world.model.reply(Reply::tool_use(
        "bash",
        json!({"command": "touch begun; sleep 600; touch ended"}),
    ));
    let session = world.session().await;
    world.open_sandbox(session).await;
    let _engine = world.engine().await;
    world.say(session, "Sleep.").await;
    world
        .log_when(session, |log| {
            log.iter()
                .any(|row| row.event.name() == "hostler.tool_started")
        })
        .await;
    world.interrupt(session).await;
    let log = public(&world.log_after_turns(session, 1).await);
    assert!(log.iter().any(|line| line == INTERRUPTED), "{log:?}");
    assert_eq!(world.workspace_file(session, "ended"), None);
    // The shell is usable afterwards, and the model is told of the interruption.
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": "echo awake"})));
    world.model.reply(Reply::text("Good."));
    world.say(session, "Are you there?").await;
    let log = public(&world.log_after_turns(session, 2).await);
    assert!(
        log.iter().any(|line| line.starts_with("gives awake")),
        "{log:?}"
    );
    assert!(
        world
            .model
            .request(1)
            .await
            .text()
            .contains("interrupted before completion")
    );
}

#[tokio::test]
async fn an_interrupt_with_a_message_redirects() {
    let world = World::new().await;
    let gate = Gate::new();
    world
        .model
        .reply(Reply::new().and_wait(&gate).and_text("Wrong way."));
    world.model.reply(Reply::text("Right way."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Go left.").await;
    world.model.request(0).await;
    let content = vec![ContentBlock::text("No, go right.")];
    let inputs = vec![
        Input::Interrupt(UserInterrupt::default()),
        Input::Message(UserMessage { content }),
    ];
    world.send(session, inputs).await;
    let log = public(&world.log_after_turns(session, 2).await);
    assert!(log.contains(&"says Right way.".to_owned()), "{log:?}");
    assert!(!log.contains(&"says Wrong way.".to_owned()), "{log:?}");
    assert_eq!(
        log.iter()
            .filter(|line| *line == "session.status_running")
            .count(),
        2
    );
    assert_eq!(world.status(session).await, SessionStatus::Idle);
}
