//! Calls that need the client's word, and those that the client carries out itself.

use hostler_protocol::content::{Citations, ContentBlock, SearchText, Source};
use hostler_testkit::Reply;
use serde_json::json;

use super::answers::{allow, custom_tool, deny, give, give_all, toolset, toolset_but};
use super::shown::public;
use super::world::World;

#[tokio::test]
async fn a_call_runs_when_it_is_allowed_and_not_before() {
    let world = World::new().await;
    let command = json!({"command": "touch made"});
    world.model.reply(Reply::tool_use("bash", command));
    world.model.reply(Reply::text("Made."));
    let session = world
        .session_with_tools(json!([toolset("always_ask")]))
        .await;
    world.open_sandbox(session).await;
    let _engine = world.engine().await;
    world.say(session, "Make it.").await;
    let calls = world.waiting(session, 1).await;
    assert_eq!(world.workspace_file(session, "made"), None);
    world.send(session, vec![allow(calls[0])]).await;
    let log = public(&world.log_after_ends(session, 1).await);
    assert_eq!(world.workspace_file(session, "made").as_deref(), Some(""));
    assert_eq!(
        log[2..],
        [
            "user.message",
            "span.model_request_start",
            "would use bash",
            "span.model_request_end",
            "session.thread_status_idle",
            "session.usage",
            "waits for 1",
            "Allows",
            "session.status_running",
            "session.thread_status_running",
            "gives (no output)",
            "span.model_request_start",
            "says Made.",
            "span.model_request_end",
            "session.thread_status_idle",
            "session.usage",
            "idle EndTurn",
        ]
    );
}

#[tokio::test]
async fn a_denied_call_never_runs_and_the_model_is_told_why() {
    let world = World::new().await;
    let command = json!({"command": "touch made"});
    world.model.reply(Reply::tool_use("bash", command));
    world.model.reply(Reply::text("Then not."));
    let session = world
        .session_with_tools(json!([toolset("always_ask")]))
        .await;
    let _engine = world.engine().await;
    world.say(session, "Make it.").await;
    let calls = world.waiting(session, 1).await;
    world
        .send(session, vec![deny(calls[0], "Never on a Friday.")])
        .await;
    world.log_after_ends(session, 1).await;
    assert_eq!(world.workspace_file(session, "made"), None);
    let told = "has been rejected. Rejection message: Never on a Friday.";
    assert!(world.model.request(1).await.text().contains(told));
}

/// The first command ends only when the second has run, which is allowed while it runs.
#[tokio::test]
async fn a_call_that_is_allowed_joins_those_that_run() {
    let world = World::new().await;
    world.model.reply(
        Reply::new()
            .and_tool_use(
                "bash",
                json!({"command": "until [ -e go ]; do sleep 0.01; done"}),
            )
            .and_tool_use("write", json!({"file_path": "go", "content": "x"})),
    );
    world.model.reply(Reply::text("Done."));
    let tools = json!([toolset_but("always_allow", "write", "always_ask")]);
    let session = world.session_with_tools(tools).await;
    let _engine = world.engine().await;
    world.say(session, "Go.").await;
    let started =
        |row: &hostler_protocol::event::Recorded| row.event.name() == "hostler.tool_started";
    let log = world.log_when(session, |log| log.iter().any(started)).await;
    let mut asked = log
        .iter()
        .filter(|row| row.event.name() == "agent.tool_use");
    let asked = asked.next_back().unwrap().id;
    world.send(session, vec![allow(asked)]).await;
    let log = public(&world.log_after_ends(session, 1).await);
    assert!(!log.iter().any(|line| line.starts_with("waits")), "{log:?}");
}

#[tokio::test]
async fn a_mixed_turn_goes_on_when_everything_is_answered() {
    let world = World::new().await;
    world.model.reply(
        Reply::new()
            .and_tool_use("bash", json!({"command": "echo free"}))
            .and_tool_use("write", json!({"file_path": "asked", "content": "x"}))
            .and_tool_use("look_up", json!({"id": "7"}))
            .and_tool_use("look_up", json!({"id": "8"})),
    );
    world.model.reply(Reply::text("All there."));
    let tools = json!([
        toolset_but("always_allow", "write", "always_ask"),
        custom_tool("look_up"),
    ]);
    let session = world.session_with_tools(tools).await;
    let _engine = world.engine().await;
    world.say(session, "Go.").await;
    let calls = world.waiting(session, 3).await;
    world
        .send(
            session,
            vec![give(calls[1], "seven"), give(calls[1], "again")],
        )
        .await;
    let rest = world.waiting(session, 2).await;
    assert_eq!(rest, [calls[0], calls[2]]);
    world.send(session, vec![allow(calls[0])]).await;
    assert_eq!(world.waiting(session, 1).await, [calls[2]]);
    assert_eq!(world.workspace_file(session, "asked"), None);
    world
        .send(
            session,
            vec![give(calls[2], "eight"), give(calls[1], "late")],
        )
        .await;
    let log = public(&world.log_after_ends(session, 1).await);
    assert_eq!(world.workspace_file(session, "asked").as_deref(), Some("x"));
    let results = world.model.request(1).await.messages();
    let results = results.last().unwrap()["content"].to_string();
    let position = |text: &str| results.find(text).unwrap();
    assert!(position("free") < position("seven") && position("seven") < position("eight"));
    assert!(!results.contains("late") && !results.contains("again"));
    assert_eq!(log.last().unwrap(), "idle EndTurn");
}

#[tokio::test]
async fn every_kind_of_block_reaches_the_model() {
    let world = World::new().await;
    let look_up = r#"{"id": "7"}"#;
    world
        .model
        .reply(Reply::new().and_tool_use_as("toolu_1", "look_up", look_up));
    world.model.reply(Reply::text("Seen."));
    let session = world
        .session_with_tools(json!([custom_tool("look_up")]))
        .await;
    let _engine = world.engine().await;
    world.say(session, "Look.").await;
    let calls = world.waiting(session, 1).await;
    let content = vec![
        ContentBlock::text("words"),
        ContentBlock::Image {
            source: Source::Base64 {
                media_type: "image/png".to_owned(),
                data: "iVBORw0=".to_owned(),
            },
        },
        ContentBlock::Document {
            source: Source::File {
                file_id: "file_011111111111111111111114".to_owned(),
            },
            title: None,
            context: None,
        },
        ContentBlock::SearchResult {
            source: "https://example.com".to_owned(),
            title: "A page".to_owned(),
            content: vec![SearchText::Text {
                text: "found".to_owned(),
            }],
            citations: Citations { enabled: true },
        },
    ];
    world.send(session, vec![give_all(calls[0], content)]).await;
    world.log_after_ends(session, 1).await;
    let result = world.model.request(1).await.messages();
    let result = &result.last().unwrap()["content"][0];
    assert_eq!(result["tool_use_id"], "toolu_1");
    let shown = &result["content"];
    assert_eq!(shown[0], json!({"type": "text", "text": "words"}));
    assert_eq!(shown[1]["source"]["data"], "iVBORw0=");
    // A file that is gone says so where it stood.
    assert_eq!(
        shown[2]["text"],
        "[The file that was attached here is no longer available.]"
    );
    assert_eq!(shown[3]["content"][0]["text"], "found");
    // What the model was offered is the client's schema.
    let tools = &world.model.request(0).await.json()["tools"];
    assert_eq!(tools[0]["name"], "look_up");
    assert_eq!(
        tools[0]["input_schema"]["properties"]["id"]["type"],
        "string"
    );
}

#[tokio::test]
async fn an_interrupt_closes_what_waits() {
    let world = World::new().await;
    world.model.reply(
        Reply::new()
            .and_tool_use("bash", json!({"command": "touch made"}))
            .and_tool_use("look_up", json!({})),
    );
    world.model.reply(Reply::text("Something else, then."));
    let tools = json!([toolset("always_ask"), custom_tool("look_up")]);
    let session = world.session_with_tools(tools).await;
    let _engine = world.engine().await;
    world.say(session, "Go.").await;
    let calls = world.waiting(session, 2).await;
    world.interrupt(session).await;
    let log = public(&world.log_after_ends(session, 1).await);
    let closed = "Tool execution was interrupted before completion. Please retry.";
    let tail = [
        "user.interrupt",
        &format!("fails {closed}"),
        &format!("is given {closed}"),
        "session.thread_status_idle",
        "session.usage",
        "idle EndTurn",
    ];
    assert_eq!(log[log.len() - 6..], tail);
    // What comes now comes too late, and the session is free.
    world
        .send(session, vec![allow(calls[0]), give(calls[1], "late")])
        .await;
    world.say(session, "Do something else.").await;
    world.log_after_ends(session, 2).await;
    assert_eq!(world.workspace_file(session, "made"), None);
    let shown = world.model.request(1).await;
    assert!(shown.text().contains(closed) && !shown.text().contains("late"));
}

/// The deadline is in the log: it passes while there is no server, and the next one knows.
#[tokio::test]
async fn a_deadline_outlives_the_server() {
    let mut world = World::new().await;
    world.model.reply(Reply::tool_use("look_up", json!({})));
    world.model.reply(Reply::text("Nobody answers."));
    let mut tool = custom_tool("look_up");
    tool["input_schema"]["x-hostler-deadline-seconds"] = json!(1);
    let session = world.session_with_tools(json!([tool])).await;
    let engine = world.engine().await;
    world.say(session, "Look.").await;
    world.waiting(session, 1).await;
    drop(engine);
    world.reopen(hostler_store::StoreOptions::default());
    let _engine = world.engine().await;
    let log = public(&world.log_after_ends(session, 1).await);
    assert!(log.contains(&"says Nobody answers.".to_owned()), "{log:?}");
    let told = world.model.request(1).await;
    assert!(told.text().contains("did not answer this call in the time"));
    let offered = world.model.request(0).await;
    assert!(!offered.text().contains("x-hostler"), "{}", offered.text());
}

#[tokio::test]
async fn a_custom_call_that_cant_be_read_is_not_the_clients_to_answer() {
    let world = World::new().await;
    let broken = r#"{"id": "#;
    world
        .model
        .reply(Reply::new().and_tool_use_as("toolu_1", "look_up", broken));
    world.model.reply(Reply::text("My mistake."));
    let session = world
        .session_with_tools(json!([custom_tool("look_up")]))
        .await;
    let _engine = world.engine().await;
    world.say(session, "Look.").await;
    let log = public(&world.log_after_ends(session, 1).await);
    assert!(!log.iter().any(|line| line.starts_with("waits")), "{log:?}");
    let given = log
        .iter()
        .find(|line| line.starts_with("is given"))
        .unwrap();
    assert!(given.contains("not a valid JSON object"), "{given}");
}
