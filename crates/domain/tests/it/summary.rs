//! The part of a session's row that follows from the events.

use std::time::Duration;

use hostler_domain::session::SessionStatus;

use crate::Log;
use crate::log::COST;

#[test]
fn usage_counts_answers_and_summaries() {
    let log = Log::play(&[
        "user: a",
        "says: b; answered tokens 9000",
        "user: c",
        "summary: s",
        "says: d",
    ]);
    let usage = log.state.summary().usage(log.env.now());
    assert_eq!(usage.input_tokens, 9_200);
    assert_eq!(log.state.summary().cost_nano_dollars, 3 * COST);
    assert_eq!(usage.list_cost.amount, "3");
}

#[test]
fn only_running_time_is_active() {
    let mut log = Log::new();
    log.go_on(&["pass 100s", "user: a", "pass 5s"]);
    let active = |log: &Log| log.state.summary().active(log.env.now()).as_secs();
    assert_eq!(active(&log), 5, "counted while it runs");
    log.go_on(&["fails in 10s", "pass 3s"]);
    assert_eq!(active(&log), 5, "not while it waits for another attempt");
    log.go_on(&["pass 7s", "pass 2s", "says: b", "pass 50s"]);
    assert_eq!(active(&log), 7);
}

#[test]
fn a_runner_is_due_whenever_there_is_something_to_do() {
    let due = |log: &Log| log.state.summary().needs_runner_at();
    let mut log = Log::new();
    assert_eq!(due(&log), None, "new");
    log.send(vec![hostler_domain::session::Input::Interrupt(
        hostler_protocol::event::UserInterrupt::default(),
    )])
    .unwrap();
    assert_eq!(due(&log), Some(log.env.now()), "an interrupt at rest");
    log.go_on(&[]);
    assert_eq!(due(&log), None, "taken");
    log.go_on(&["user: a"]);
    assert_eq!(due(&log), Some(log.env.now()), "running");
    log.go_on(&["fails in 10s"]);
    let retry = log.env.now().plus(Duration::from_secs(10));
    assert_eq!(due(&log), Some(retry), "rescheduling");
    log.happen("interrupt");
    assert!(due(&log) < Some(retry), "an interrupt doesn't wait");
    log.settle();
    assert_eq!(due(&log), None, "idle");
    log.line("terminated");
    log.line("user: too late");
    assert_eq!(due(&log), None, "terminated");
    assert_eq!(log.state.summary().status, SessionStatus::Terminated);
    assert_eq!(log.state.summary().terminated_at, Some(log.env.now()));
}
