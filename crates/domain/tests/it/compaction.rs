//! Conversations that grow too long.

use crate::{Log, check_public};

#[test]
fn near_the_limit_the_conversation_is_summarised_before_the_next_request() {
    let mut log = Log::play(&["user: a", "says: b; calls bash; answered tokens 8001"]);
    // Never while a call is open.
    assert_eq!(log.next(), "run 1");
    log.go_on(&["result 1"]);
    assert_eq!(log.next(), "call the model for a summary");
    log.go_on(&["summary: a asked b"]);
    assert_eq!(log.next(), "call the model");
    assert_eq!(log.state.messages().len(), 1);
    assert!(log.shown().contains("a asked b"));
    log.go_on(&["user: c", "says: d", "says: e"]);
    assert!(log.shown().ends_with("assistant: d\nuser: c\nassistant: e"));
    assert_eq!(log.next(), "wait");
}

#[test]
fn a_summary_is_an_ordinary_request_to_clients() {
    check_public(
        &["user: a", "fails too_long", "summary: s", "says: hi"],
        "session.status_running
         session.thread_status_running
         user.message a
         span.model_request_start
         span.model_request_end error
         span.model_request_start
         agent.thread_context_compacted
         span.model_request_end
         span.model_request_start
         agent.message hi
         span.model_request_end
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn",
    );
}

#[test]
fn a_single_long_message_is_left_to_the_model() {
    let long = format!("user: {}", "x".repeat(50_000));
    assert_eq!(Log::play(&[&long]).next(), "call the model");
}

#[test]
fn what_providers_do_not_count_is_estimated() {
    let long = format!("says: {}; answered tokens 0", "x".repeat(40_000));
    let log = Log::play(&["user: a", &long, "user: b"]);
    assert_eq!(log.next(), "call the model for a summary");
}

#[test]
fn too_long_to_be_summarised_twice_gives_up_and_the_next_message_tries_again() {
    let mut log = Log::play(&["user: a", "fails too_long", "fails too_long"]);
    let expected = "session.error compaction_limit_reached_error exhausted
session.thread_status_idle retries_exhausted
session.usage
session.status_idle retries_exhausted";
    assert!(log.public().ends_with(expected), "{}", log.public());
    log.go_on(&["user: b"]);
    assert_eq!(log.next(), "call the model for a summary");
    log.go_on(&["summary: s", "says: hi"]);
    assert!(log.public().ends_with("session.status_idle end_turn"));
}

#[test]
fn earlier_failures_of_another_kind_do_not_forbid_a_summary() {
    let script = ["user: a", "fails in 1s", "pass 1s", "fails too_long"];
    let mut log = Log::play(&script);
    assert_eq!(log.next(), "call the model for a summary");
    log.go_on(&["fails in 1s", "pass 1s"]);
    assert_eq!(log.next(), "call the model for a summary");
}

#[test]
fn summaries_without_an_answer_between_them_are_limited() {
    let mut log = Log::play(&["user: a", "fails too_long", "summary: s"]);
    log.go_on(&["fails too_long", "summary: t", "fails too_long"]);
    assert!(
        log.public()
            .contains("compaction_limit_reached_error exhausted")
    );
    assert_eq!(log.next(), "wait");
}

#[test]
fn an_interrupted_summary_leaves_the_conversation_as_it_was() {
    let log = Log::play(&["user: a", "fails too_long", "interrupt", "user: b"]);
    assert_eq!(log.shown(), "user: a | b");
    assert_eq!(log.next(), "call the model for a summary");
}
