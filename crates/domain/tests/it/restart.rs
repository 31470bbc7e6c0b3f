//! Another epoch goes on: by the same steps, and nothing runs twice in silence.

use hostler_domain::session::{Step, outcome_unknown};
use hostler_protocol::event::Event;

use crate::{Log, check};

fn after_restart(log: &str) -> Log {
    let mut log = Log::read(log);
    log.happen("restart");
    log
}

#[test]
fn an_open_request_is_ended_and_repeated() {
    let mut log = after_restart("user: a\nrunning\ntook message\nstart\nuser: b");
    assert_eq!(log.next(), "span.model_request_end error");
    log.go_on(&["says: hi"]);
    // The message that waited is seen by the repeated request.
    assert_eq!(log.shown(), "user: a | b\nassistant: hi");
    assert_eq!(log.next(), "wait");
}

#[test]
fn a_tool_that_was_under_way_is_not_run_again() {
    let mut log = after_restart(
        "user: a\nrunning\ntook message\nstart\ncalls bash\ncalls read\ncalls grep\nanswered\nend
         started 1\nstarted 2\nresult 2",
    );
    // The third was never started, so it runs, once; the second is answered.
    assert_eq!(log.next(), "hostler.tool_started 3");
    log.settle();
    assert_eq!(log.next(), "resume 1, run 3");
    log.go_on(&["result 3"]);
    assert_eq!(log.next(), "resume 1");
    // Whoever comes next has no more right to run it.
    log.happen("restart");
    assert_eq!(log.next(), "resume 1");
    log.go_on(&["result 1"]);
    assert_eq!(log.next(), "call the model");
}

#[test]
fn a_result_that_cannot_be_had_is_told_as_unknown() {
    let mut log = after_restart(
        "user: a\nrunning\ntook message\nstart\ncalls bash\nanswered\nend\nstarted 1",
    );
    let Step::RunTools(runs) = log.step() else {
        panic!("{}", log.next());
    };
    let call = log.state.unanswered_call(runs[0].id).unwrap();
    let unknown = outcome_unknown(call);
    let Event::AgentToolResult(result) = &unknown else {
        panic!("{unknown:?}");
    };
    assert!(result.is_error);
    log.push(unknown);
    assert!(log.public().ends_with(
        "agent.tool_result 1: The server was restarted while this tool was running. The call was \
         interrupted and may or may not have taken effect; it was not run again. Check what it did \
         before you repeat it."
    ));
    log.settle();
    assert_eq!(log.next(), "call the model");
}

#[test]
fn tools_of_the_same_epoch_go_on() {
    check(
        "user: a\nrunning\ntook message\nstart\ncalls bash\ncalls read\nanswered\nend
         started 1\nstarted 2\nresult 1",
        "run 2",
    );
}

#[test]
fn a_tool_that_was_not_started_runs_once() {
    let mut log = after_restart("user: a\nrunning\ntook message\nstart\ncalls bash\nanswered\nend");
    assert_eq!(log.next(), "hostler.tool_started 1");
    log.settle();
    assert_eq!(log.next(), "run 1");
    log.happen("restart");
    assert_eq!(log.next(), "resume 1");
}

#[test]
fn a_broken_off_announcement_is_forgotten() {
    // Only a torn append could leave this; the calls of the repeated request are its own.
    let mut log = after_restart("user: a\nrunning\ntook message\nstart");
    log.settle();
    log.go_on(&["calls bash", "result 1", "says: hi"]);
    assert_eq!(log.next(), "wait");
}

#[test]
fn a_failure_is_reported_by_whoever_comes_next() {
    let log = after_restart("user: a\nrunning\ntook message\nstart\nend error\nfailed in 10s");
    assert!(
        log.next()
            .starts_with("session.error model_overloaded_error retrying")
    );
}

#[test]
fn waiting_for_another_attempt_goes_on() {
    let mut log = after_restart(
        "user: a\nrunning\ntook message\nstart\nend error\nfailed in 10s\nrescheduled\npass 4s",
    );
    assert_eq!(log.next(), "wait 6s");
    log.line("pass 6s");
    assert!(log.next().starts_with("session.status_running"));
}
