//! The part of a session's row that follows from the events.

use std::time::Duration;

use hostler_domain::session::{SessionStatus, Step};
use hostler_protocol::Timestamp;
use hostler_protocol::event::{Epoch, Event, Recorded, SessionUpdated};

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

/// `seconds` before or behind now.
fn at(log: &Log, seconds: i64) -> Timestamp {
    Timestamp::from_micros(log.env.now().as_micros() + seconds * 1_000_000)
}

#[test]
fn what_waits_for_a_moment_does_not_wait_longer_because_the_clock_was_set_back() {
    let mut log = Log::play(&["user: a", "fails in 10s"]);
    let is_due = |log: &Log, seconds| log.state.summary().is_due(at(log, seconds));
    let dues = [-21_600, -3, -1, 0, 9, 10, 21_600].map(|seconds| is_due(&log, seconds));
    assert_eq!(
        dues,
        [true, true, false, false, false, true, true],
        "a retry"
    );
    let waits = |seconds| {
        let step = log.state.next(log.epoch, at(&log, seconds), &log.policy);
        matches!(step, Step::Wait { until } if until == Some(at(&log, 10)))
    };
    assert_eq!(
        [-21_600, -3, -1, 9, 10].map(waits),
        [false, false, true, true, false]
    );
    log.go_on(&["pass 10s"]);
    assert!(is_due(&log, -21_600), "a turn");
    log.go_on(&["says: b"]);
    assert!(!is_due(&log, -21_600), "rest");
}

#[test]
fn a_change_by_a_clock_that_was_set_back_leaves_a_retry_as_far_away() {
    let log = Log::play(&["user: a", "fails in 10s"]);
    let mut summary = log.state.summary().clone();
    let changed = Recorded {
        seq: log.state.last_seq().next(),
        epoch: Epoch::CLIENT,
        id: log.env.id(),
        at: at(&log, -21_600),
        thread: None,
        event: Event::SessionUpdated(SessionUpdated::default()),
    };
    summary.apply(&changed);
    assert!(!summary.is_due(changed.at));
    assert!(summary.is_due(changed.at.plus(Duration::from_secs(10))));
}
