//! Interrupts: the turn is over at once, whatever was going on.

use crate::{Log, check, check_public};

const IDLE: &str = "session.thread_status_idle end_turn
                    session.usage
                    session.status_idle end_turn";

#[test]
fn while_the_model_answers() {
    check(
        "user: a\nrunning\ntook message\nstart\ninterrupt",
        &format!("user.interrupt\nspan.model_request_end null\n{IDLE}"),
    );
}

#[test]
fn while_tools_run_every_open_call_is_closed() {
    check(
        "user: a\nrunning\ntook message\nstart\ncalls bash\ncalls read\ncalls grep\nanswered\nend
         started 1\nstarted 2\nstarted 3\nresult 2\ninterrupt",
        &format!(
            "user.interrupt
             agent.tool_result 1: Tool execution was interrupted before completion. Please retry.
             agent.tool_result 3: Tool execution was interrupted before completion. Please retry.
             {IDLE}"
        ),
    );
    let log = Log::play(&[
        "user: a",
        "calls bash; calls read",
        "result 2",
        "interrupt",
        "user: b",
    ]);
    assert_eq!(log.next(), "call the model");
}

#[test]
fn while_waiting_for_another_attempt() {
    check(
        "user: a\nrunning\ntook message\nstart\nend error\nfailed in 10s\nrescheduled\ninterrupt",
        &format!("user.interrupt\n{IDLE}"),
    );
}

#[test]
fn after_a_failure_that_nobody_has_reported() {
    check(
        "user: a\nrunning\ntook message\nstart\nend error\nfailed in 10s\ninterrupt",
        &format!("user.interrupt\n{IDLE}"),
    );
}

#[test]
fn at_rest_it_is_taken_and_that_is_all() {
    check("interrupt", "user.interrupt");
    check_public(&["interrupt"], "user.interrupt");
}

#[test]
fn at_rest_it_does_not_end_the_turn_that_comes_with_it() {
    let turn = "session.status_running
                session.thread_status_running
                user.interrupt
                user.message b
                span.model_request_start
                agent.message hi
                span.model_request_end
                session.thread_status_idle end_turn
                session.usage
                session.status_idle end_turn";
    check_public(&["interrupt; user: b", "says: hi"], turn);
    check_public(&["user: b; interrupt", "says: hi"], turn);
}

#[test]
fn it_ends_a_turn_that_no_runner_has_begun_with() {
    // A client that stops a session and waits for idle may then archive it.
    let mut log = Log::new();
    log.happen("user: a");
    log.happen("interrupt");
    log.settle();
    assert_eq!(
        log.public(),
        "session.status_running
session.thread_status_running
user.message a
user.interrupt
session.thread_status_idle end_turn
session.usage
session.status_idle end_turn"
    );
    assert_eq!(log.next(), "wait");
    // What was not answered is not forgotten.
    log.go_on(&["user: b"]);
    assert_eq!(log.shown(), "user: a | b");
}

#[test]
fn a_redirect_begins_the_next_turn() {
    check_public(
        &["user: a", "interrupt; user: b", "says: hi"],
        "session.status_running
         session.thread_status_running
         user.message a
         span.model_request_start
         user.interrupt
         span.model_request_end null
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn
         session.status_running
         session.thread_status_running
         user.message b
         span.model_request_start
         agent.message hi
         span.model_request_end
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn",
    );
}

#[test]
fn messages_that_waited_begin_the_next_turn() {
    let log = Log::play(&["user: a", "user: b", "interrupt", "says: hi"]);
    assert_eq!(log.shown(), "user: a | b\nassistant: hi");
    assert_eq!(log.public().matches("session.status_running").count(), 2);
}

#[test]
fn two_at_once_are_one() {
    check(
        "user: a\nrunning\ntook message\nstart\ninterrupt\ninterrupt",
        &format!("user.interrupt\nuser.interrupt\nspan.model_request_end null\n{IDLE}"),
    );
}

#[test]
fn facts_that_came_first_stand() {
    // The answer reached the log together with the interrupt: its calls are closed, not run.
    let log = Log::read(
        "user: a\nrunning\ntook message\nstart\ninterrupt\nsays: hm\ncalls bash\nanswered\nend",
    );
    assert!(log.state.interrupted());
    let step = log.next();
    assert!(step.contains("agent.tool_result 1: Tool execution was interrupted"));
    assert!(!step.contains("span.model_request_end"));
}
