//! A model that fails: tried again, given up, told apart; and a conversation that grows too long.

use hostler_testkit::Reply;
use serde_json::json;

use super::shown::public;
use super::world::World;

#[tokio::test]
async fn an_overloaded_model_is_tried_again() {
    let world = World::new().await;
    world
        .model
        .reply(Reply::error(529, "overloaded_error", "Overloaded"));
    world.model.reply(Reply::text("Here I am."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Hello?").await;
    let log = public(&world.log_after_turns(session, 1).await);
    assert_eq!(
        log,
        [
            "session.status_running",
            "session.thread_status_running",
            "user.message",
            "span.model_request_start",
            "span.model_request_end",
            "error ModelOverloadedError Retrying",
            "session.thread_status_rescheduled",
            "session.status_rescheduled",
            "session.status_running",
            "session.thread_status_running",
            "span.model_request_start",
            "says Here I am.",
            "span.model_request_end",
            "session.thread_status_idle",
            "session.usage",
            "idle EndTurn",
        ]
    );
}

#[tokio::test]
async fn attempts_are_limited_and_the_next_message_goes_on() {
    let world = World::new().await;
    for _ in 0..3 {
        world.model.reply(Reply::error(500, "api_error", "boom"));
    }
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Hello?").await;
    let log = public(&world.log_after_turns(session, 1).await);
    assert_eq!(
        log.iter()
            .filter(|line| *line == "span.model_request_start")
            .count(),
        3
    );
    assert!(
        log.contains(&"error ModelRequestFailedError Exhausted".to_owned()),
        "{log:?}"
    );
    assert_eq!(log.last().unwrap(), "idle RetriesExhausted");
    world.model.reply(Reply::text("Back."));
    world.say(session, "Still there?").await;
    let log = public(&world.log_after_turns(session, 2).await);
    assert_eq!(log.last().unwrap(), "idle EndTurn");
    assert!(
        world.model.request(3).await.text().contains("Hello?"),
        "nothing is forgotten"
    );
}

#[tokio::test]
async fn a_refused_key_is_not_tried_again() {
    let world = World::new().await;
    world.model.reply(Reply::error(
        401,
        "authentication_error",
        "invalid x-api-key",
    ));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Hello?").await;
    let log = public(&world.log_after_turns(session, 1).await);
    assert_eq!(
        log.iter()
            .filter(|line| *line == "span.model_request_start")
            .count(),
        1
    );
    assert_eq!(log.last().unwrap(), "idle RetriesExhausted");
}

#[tokio::test]
async fn a_long_conversation_is_summarised() {
    let world = World::new().await.with_context_window(1_000);
    world
        .model
        .reply(Reply::text("Noted.").usage(json!({"input_tokens": 900, "output_tokens": 50})));
    world
        .model
        .reply(Reply::text("SUMMARY: the code word is heron."));
    world.model.reply(Reply::text("Heron."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "The code word is heron.").await;
    world.log_after_turns(session, 1).await;
    world.say(session, "What is the code word?").await;
    let log = public(&world.log_after_turns(session, 2).await);
    assert!(
        log.contains(&"agent.thread_context_compacted".to_owned()),
        "{log:?}"
    );
    assert!(
        !log.iter().any(|line| line.contains("SUMMARY")),
        "a summary is nobody's business"
    );
    let after = world.model.request(2).await;
    assert!(after.text().contains("SUMMARY: the code word is heron."));
    assert!(
        !after.text().contains("Noted."),
        "the old messages are gone"
    );
}

#[tokio::test]
async fn a_conversation_that_the_model_refuses_as_too_long_is_summarised_too() {
    let world = World::new().await;
    let too_long = "prompt is too long: 250000 tokens > 200000 maximum";
    world
        .model
        .reply(Reply::error(400, "invalid_request_error", too_long));
    world.model.reply(Reply::text("SUMMARY"));
    world.model.reply(Reply::text("Better."));
    let session = world.session().await;
    let _engine = world.engine().await;
    world.say(session, "Hello.").await;
    let log = public(&world.log_after_turns(session, 1).await);
    assert!(log.contains(&"says Better.".to_owned()), "{log:?}");
    assert!(!log.iter().any(|line| line.starts_with("error")), "{log:?}");
}
