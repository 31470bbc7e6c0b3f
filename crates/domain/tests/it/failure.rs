//! A model that doesn't answer.

use crate::{Log, check_public};

#[test]
fn a_passing_failure_is_tried_again() {
    check_public(
        &["user: a", "fails in 10s", "pass 10s", "says: hi"],
        "session.status_running
         session.thread_status_running
         user.message a
         span.model_request_start
         span.model_request_end error
         session.error model_overloaded_error retrying
         session.thread_status_rescheduled
         session.status_rescheduled
         session.status_running
         session.thread_status_running
         span.model_request_start
         agent.message hi
         span.model_request_end
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn",
    );
}

#[test]
fn attempts_are_exhausted_and_what_waited_is_taken() {
    let mut log = Log::play(&[
        "user: a",
        "fails in 10s",
        "pass 10s",
        "fails in 10s",
        "user: b",
        "pass 10s",
        "user: c",
        "fails in 10s",
    ]);
    let public = log.public();
    let last = public
        .rsplit_once("span.model_request_end error\n")
        .unwrap()
        .1;
    assert_eq!(
        last,
        "user.message c
session.error model_overloaded_error exhausted
session.thread_status_idle retries_exhausted
session.usage
session.status_idle retries_exhausted"
    );
    assert_eq!(log.next(), "wait");
    // The next message goes on, with all attempts anew.
    log.go_on(&["user: d", "fails in 1s", "pass 1s", "says: hi"]);
    assert_eq!(log.shown(), "user: a | b | c | d\nassistant: hi");
    assert_eq!(log.next(), "wait");
}

#[test]
fn a_lasting_failure_is_not_tried_again() {
    let log = Log::play(&["user: a", "fails"]);
    assert!(
        log.public()
            .ends_with("session.status_idle retries_exhausted")
    );
    assert!(!log.public().contains("rescheduled"));
}

#[test]
fn an_answer_gives_all_attempts_back() {
    let mut log = Log::play(&[
        "user: a",
        "fails in 1s",
        "pass 1s",
        "fails in 1s",
        "pass 1s",
    ]);
    assert_eq!(log.state.attempts(), 2);
    log.go_on(&["calls bash", "result 1"]);
    assert_eq!(log.state.attempts(), 0);
    log.go_on(&[
        "fails in 1s",
        "pass 1s",
        "fails in 1s",
        "pass 1s",
        "says: hi",
    ]);
    assert!(log.public().ends_with("session.status_idle end_turn"));
}

#[test]
fn a_message_does_not_shorten_the_pause() {
    let log = Log::play(&["user: a", "fails in 10s", "user: b"]);
    assert_eq!(log.next(), "wait 10s");
}
