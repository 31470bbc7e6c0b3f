//! Calls: denied, side by side, answered twice.

use crate::{Log, check};

const CALLED: &str = "user: a\nrunning\ntook message\nstart\n";

#[test]
fn a_denied_call_is_answered_and_the_others_run() {
    let log = format!("{CALLED}calls bash\ncalls web_search denied\nanswered\nend");
    let denied = "agent.tool_result 2: Permission to use web_search has been denied.";
    check(&log, denied);
    let mut log = Log::read(&log);
    log.settle();
    assert_eq!(log.next(), "run 1");
    log.go_on(&["result 1"]);
    assert_eq!(
        log.shown(),
        "user: a
assistant: use toolu_1 | use toolu_2
user: result toolu_1: done | result toolu_2: Permission to use web_search has been denied."
    );
}

#[test]
fn a_batch_of_denied_calls_goes_back_to_the_model() {
    let mut log = Log::read(&format!("{CALLED}calls x denied\nanswered\nend"));
    log.settle();
    assert_eq!(log.next(), "call the model");
}

#[test]
fn tools_that_are_done_are_not_asked_for_again() {
    let batch = format!("{CALLED}calls bash\ncalls read\ncalls grep\nanswered\nend\n");
    check(
        &batch,
        "hostler.tool_started 1\nhostler.tool_started 2\nhostler.tool_started 3",
    );
    check(
        &format!("{batch}started 1\nstarted 2\nstarted 3\nresult 2"),
        "run 1, run 3",
    );
}

#[test]
fn a_result_that_nobody_waits_for_starts_nothing() {
    let answered = format!(
        "{CALLED}calls bash\nanswered\nend\nstarted 1\nresult 1: first
         start\nsays: hi\nanswered\nend\n"
    );
    assert!(
        Log::read(&answered)
            .next()
            .ends_with("session.status_idle end_turn")
    );
    let late = Log::read(&format!("{answered}result 1: late"));
    assert!(late.next().ends_with("session.status_idle end_turn"));
    assert!(!late.shown().contains("late"));
}

#[test]
fn the_first_result_of_a_call_counts() {
    let log = format!(
        "{CALLED}calls bash\ncalls read\nanswered\nend\nstarted 1\nstarted 2
         result 1: first\nresult 1: second\nresult 2"
    );
    let log = Log::read(&log);
    assert!(log.shown().contains("result toolu_1: first"));
}
