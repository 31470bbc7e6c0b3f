//! Messages that arrive while a turn runs.

use crate::{Log, check, check_public};

#[test]
fn a_message_during_an_answer_keeps_the_turn_open() {
    // The obvious fold ("an answer without calls ends the turn") loses the second message.
    check(
        "user: one\nrunning\ntook message\nstart\nuser: two\nsays: re one\nanswered\nend",
        "user.message two",
    );
    check_public(
        &["user: one", "user: two", "says: re one", "says: re two"],
        "session.status_running
         session.thread_status_running
         user.message one
         span.model_request_start
         agent.message re one
         span.model_request_end
         user.message two
         span.model_request_start
         agent.message re two
         span.model_request_end
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn",
    );
}

#[test]
fn an_answer_that_had_not_seen_the_last_message_is_no_end() {
    // As if the message had been taken while the request ran.
    let mut log = Log::read("user: one\nrunning\ntook message\nstart\nsays: hi\nanswered\nend");
    let position = log.state.last_input();
    log.line("user: two");
    log.line("took message");
    assert!(log.state.last_input() > position);
    assert_eq!(log.next(), "span.model_request_start");
}

#[test]
fn a_message_during_tools_comes_after_their_results() {
    let log = Log::play(&[
        "user: one",
        "calls bash; calls read",
        "result 1",
        "user: two",
        "user: three",
        "result 2",
        "says: all seen",
    ]);
    assert_eq!(
        log.shown(),
        "user: one
assistant: use toolu_1 | use toolu_2
user: result toolu_1: done | result toolu_2: done | two | three
assistant: all seen"
    );
    assert_eq!(log.public().matches("session.status_running").count(), 1);
    assert_eq!(log.public().matches("session.status_idle").count(), 1);
}

#[test]
fn waiting_messages_are_taken_in_their_order() {
    let log = Log::play(&["user: 1", "user: 2; user: 3", "user: 4", "says: re 1"]);
    assert_eq!(log.shown(), "user: 1\nassistant: re 1\nuser: 2 | 3 | 4");
}
