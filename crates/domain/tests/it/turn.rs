//! The order grammar of a turn, as clients see it, and the steps of its every prefix.

use crate::{Log, check, check_public};

#[test]
fn a_turn_without_tools() {
    check_public(
        &["user: hello", "says: hi"],
        "session.status_running
         session.thread_status_running
         user.message hello
         span.model_request_start
         agent.message hi
         span.model_request_end
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn",
    );
}

#[test]
fn a_turn_with_tools() {
    check_public(
        &[
            "user: hello",
            "says: let me look; calls bash; calls read",
            "result 2: two; result 1: one",
            "says: seen",
        ],
        "session.status_running
         session.thread_status_running
         user.message hello
         span.model_request_start
         agent.message let me look
         agent.tool_use bash
         agent.tool_use read
         span.model_request_end
         agent.tool_result 2: two
         agent.tool_result 1: one
         span.model_request_start
         agent.message seen
         span.model_request_end
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn",
    );
}

#[test]
fn every_prefix_of_a_turn_has_its_step() {
    let turn = [
        ("", "wait"),
        // Never seen from outside: `accept` appends the start of the turn with the message.
        (
            "user: hello",
            "session.status_running\nsession.thread_status_running",
        ),
        ("running", "user.message hello"),
        ("took message", "span.model_request_start"),
        ("start", "call the model"),
        ("calls bash", "call the model"),
        ("answered", "hostler.tool_started 1"),
        ("end", "hostler.tool_started 1"),
        ("started 1", "run 1"),
        ("result 1: done", "span.model_request_start"),
        ("start", "call the model"),
        ("says: hi\nanswered\nend", IDLE),
        ("idle", "wait"),
        ("terminated", "wait"),
    ];
    let mut log = String::new();
    for (line, step) in turn {
        log.push('\n');
        log.push_str(line);
        check(&log, step);
    }
}

const IDLE: &str = "session.thread_status_idle end_turn
                    session.usage
                    session.status_idle end_turn";

#[test]
fn a_refusal_ends_the_turn_with_details() {
    check(
        "user: hello\nrunning\ntook message\nstart\nanswered refusal\nend",
        "session.thread_status_idle refusal \"cyber\"
         session.usage
         session.status_idle refusal \"cyber\"",
    );
    // The next turn starts clean.
    let mut log = Log::play(&["user: a", "says: no; answered refusal", "user: b"]);
    log.go_on(&["says: fine"]);
    assert!(log.public().ends_with("session.status_idle end_turn"));
}

#[test]
fn a_refused_answer_runs_no_tools() {
    check_public(
        &["user: hello", "calls bash; answered refusal"],
        "session.status_running
         session.thread_status_running
         user.message hello
         span.model_request_start
         agent.tool_use bash
         span.model_request_end
         agent.tool_result 1: The model declined to go on, so this tool was not run.
         session.thread_status_idle refusal \"cyber\"
         session.usage
         session.status_idle refusal \"cyber\"",
    );
}

#[test]
fn a_cut_off_answer_ends_the_turn() {
    let log = "user: hello\nrunning\ntook message\nstart\nsays: on\nanswered max_tokens\nend";
    check(log, IDLE);
}

#[test]
fn a_paused_answer_is_asked_to_go_on_but_not_for_ever() {
    let mut log = Log::play(&["user: hello"]);
    let mut calls = 0;
    while log.next() == "call the model" {
        calls += 1;
        log.go_on(&["says: more; answered pause_turn"]);
        assert!(calls < 100, "a provider that pauses for ever");
    }
    assert!(calls > 10);
    assert!(log.public().ends_with("session.status_idle end_turn"));
}

#[test]
fn a_thought_that_nothing_follows_is_not_repeated() {
    let mut log = Log::play(&[
        "user: hello",
        "thinks; answered max_tokens",
        "user: and now?",
    ]);
    assert_eq!(log.shown(), "user: hello | and now?");
    log.go_on(&["thinks; says: hi; thinks", "user: more"]);
    let shown = "user: hello | and now?\nassistant: thinking | hi\nuser: more";
    assert_eq!(log.shown(), shown);
}

/// Calls one tool after the other for as long as the model is asked, and says how often it was.
fn circle(log: &mut Log, calls_before: usize) -> usize {
    for round in 0..100 {
        if log.next() != "call the model" {
            return round;
        }
        let result = format!("result {}", calls_before + round + 1);
        log.go_on(&["calls bash", &result]);
    }
    panic!("a model that goes in circles for ever");
}

#[test]
fn a_model_that_goes_in_circles_is_stopped_until_the_user_speaks() {
    let mut log = Log::play(&["user: hello"]);
    assert_eq!(circle(&mut log, 0), 20);
    assert!(log.public().ends_with(
        "agent.tool_result 20: done
session.error tool_use_limit_reached_error exhausted
session.thread_status_idle retries_exhausted
session.usage
session.status_idle retries_exhausted"
    ));
    // A message in the middle of the turn counts as well as one after it.
    log.go_on(&["user: go on", "calls bash", "user: more", "result 21"]);
    assert_eq!(circle(&mut log, 21), 20);
}

#[test]
fn an_answer_without_a_block_ends_the_turn() {
    let log = Log::play(&["user: hello", "answered", "user: and now?"]);
    assert_eq!(log.shown(), "user: hello | and now?");
}
