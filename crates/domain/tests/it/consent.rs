//! Calls that wait for the client: confirmations, custom tools, deadlines.

use hostler_domain::session::{CallSeen, Input, Refusal};
use hostler_protocol::event::{Confirmed, ToolConfirmation};

use crate::{Log, check_public};

#[test]
fn a_call_waits_until_it_is_allowed() {
    check_public(
        &[
            "user: a",
            "calls bash asked",
            "allow 1",
            "result 1: done",
            "says: b",
        ],
        "session.status_running
         session.thread_status_running
         user.message a
         span.model_request_start
         agent.tool_use bash ask
         span.model_request_end
         session.thread_status_idle requires_action 1
         session.usage
         session.status_idle requires_action 1
         user.tool_confirmation 1 allow
         session.status_running
         session.thread_status_running
         agent.tool_result 1: done
         span.model_request_start
         agent.message b
         span.model_request_end
         session.thread_status_idle end_turn
         session.usage
         session.status_idle end_turn",
    );
}

#[test]
fn a_denial_is_told_to_the_model_in_the_words_of_the_client() {
    let mut log = Log::play(&["user: a", "calls bash asked", "deny 1: not on a Friday"]);
    assert_eq!(log.next(), "call the model");
    log.go_on(&["says: then not"]);
    let told = "Permission to use bash has been rejected. Rejection message: not on a Friday";
    assert!(log.shown().contains(told), "{}", log.shown());
}

#[test]
fn what_needs_nobody_runs_first_and_partial_answers_name_the_rest() {
    let script = [
        "user: a",
        "calls bash; calls write asked; asks look_up; calls web denied",
        "result 1: ran",
        "given 3: found",
        "allow 2",
        "result 2: written",
    ];
    let log = Log::play(&script);
    let public = log.public();
    let tail: Vec<&str> = public.lines().skip(9).collect();
    assert_eq!(
        tail,
        [
            "agent.tool_result 4: Permission to use web has been denied.",
            "agent.tool_result 1: ran",
            "session.thread_status_idle requires_action 2 3",
            "session.usage",
            "session.status_idle requires_action 2 3",
            "user.custom_tool_result 3: found",
            "session.thread_status_idle requires_action 2",
            "session.usage",
            "session.status_idle requires_action 2",
            "user.tool_confirmation 2 allow",
            "session.status_running",
            "session.thread_status_running",
            "agent.tool_result 2: written",
            "span.model_request_start",
        ]
    );
    assert!(
        log.shown()
            .ends_with("user: result toolu_1: ran | result toolu_2: written | result toolu_3: found | result toolu_4: Permission to use web has been denied."),
        "{}",
        log.shown()
    );
}

#[test]
fn an_answer_before_idle_leaves_nothing_to_wait_for() {
    let mut log = Log::play(&["user: a", "calls bash; asks look_up; calls read asked"]);
    assert_eq!(log.next(), "run 1");
    log.go_on(&["given 2: early", "allow 3"]);
    assert_eq!(log.next(), "run 1, run 3");
    log.go_on(&["result 1: ran"]);
    assert_eq!(log.next(), "run 3");
    log.go_on(&["result 3: read", "says: done"]);
    assert!(
        !log.public().contains("requires_action"),
        "{}",
        log.public()
    );
}

#[test]
fn the_first_answer_counts_and_a_second_is_not_recorded() {
    let mut log = Log::play(&["user: a", "calls bash asked; asks look_up"]);
    log.go_on(&["given 2: first; given 2: second", "given 2: third"]);
    log.go_on(&[
        "deny 1: no",
        "allow 1",
        "says: b",
        "given 2: late",
        "allow 1",
    ]);
    assert!(
        log.shown().contains("result toolu_2: first"),
        "{}",
        log.shown()
    );
    let answers = log.rows.iter().filter(|row| {
        matches!(
            row.event.name(),
            "user.custom_tool_result" | "user.tool_confirmation"
        )
    });
    assert_eq!(answers.count(), 2);
}

#[test]
fn a_message_waits_for_the_answers() {
    let mut log = Log::play(&["user: a", "calls bash; asks look_up", "user: early"]);
    log.go_on(&["result 1: ran"]);
    assert_eq!(log.next(), "wait");
    assert_eq!(log.state.summary().needs_runner_at(), None);
    let refused = log.send(vec![log.input("user: b")]).unwrap_err();
    assert!(
        refused.to_string().contains(&log.call("2").to_string()),
        "{refused}"
    );
    // With the last answer in front of it, it is one of a running session.
    log.go_on(&["given 2: found; user: b", "says: c"]);
    assert!(
        log.shown()
            .contains("user: result toolu_1: ran | result toolu_2: found | early | b"),
        "{}",
        log.shown()
    );
}

#[test]
fn an_interrupt_closes_what_waits_and_the_model_is_not_asked() {
    let mut log = Log::play(&["user: a", "calls bash asked; asks look_up", "interrupt"]);
    let public = log.public();
    let tail: Vec<&str> = public.lines().skip(10).collect();
    let closed = "Tool execution was interrupted before completion. Please retry.";
    assert_eq!(
        tail,
        [
            "user.interrupt",
            &format!("agent.tool_result 1: {closed}"),
            &format!("user.custom_tool_result 2: {closed}"),
            "session.thread_status_idle end_turn",
            "session.usage",
            "session.status_idle end_turn",
        ]
    );
    assert_eq!(log.next(), "wait");
    // Answers that come too late are taken, and the next message goes on.
    log.go_on(&["given 2: late", "allow 1", "user: b", "says: c"]);
    assert!(log.public().ends_with("session.status_idle end_turn"));
}

#[test]
fn an_interrupt_makes_room_for_a_message() {
    let mut log = Log::play(&["user: a", "asks look_up", "interrupt; user: rather this"]);
    assert_eq!(log.next(), "call the model");
    log.go_on(&["says: yes"]);
    assert!(
        log.shown().contains("Please retry. | rather this"),
        "{}",
        log.shown()
    );
}

#[test]
fn an_answer_together_with_an_interrupt_runs_nothing() {
    for inputs in ["allow 1; interrupt", "interrupt; allow 1"] {
        let log = Log::play(&["user: a", "calls bash asked", inputs]);
        assert_eq!(log.next(), "wait", "{inputs}");
        assert!(!log.public().contains("tool_started"), "{}", log.public());
        let end = log.public();
        assert!(
            end.ends_with("session.status_idle end_turn"),
            "{inputs}: {end}"
        );
    }
    // The last result is in the conversation by then; there is nothing to close.
    let log = Log::play(&["user: a", "asks look_up", "given 1: x; interrupt"]);
    assert_eq!(log.next(), "wait");
    assert!(log.public().ends_with("session.status_idle end_turn"));
}

#[test]
fn an_interrupt_of_a_resumed_turn_keeps_what_waited_before() {
    let mut log = Log::play(&["user: a", "calls bash; asks look_up", "user: held"]);
    log.go_on(&["result 1: ran"]);
    log.happen("given 2: found");
    log.happen("interrupt");
    log.settle();
    // It did not begin this turn, so it begins the next one.
    let public = log.public();
    let position = |wanted: &str| public.lines().position(|line| line == wanted).unwrap();
    assert!(
        position("session.status_idle end_turn") < position("user.message held"),
        "{public}"
    );
    assert_eq!(log.next(), "call the model");
}

#[test]
fn calls_that_come_with_a_refusal_wait_for_nobody() {
    let log = Log::play(&[
        "user: a",
        "calls bash asked; asks look_up; answered refusal",
    ]);
    let public = log.public();
    assert!(!public.contains("requires_action"), "{public}");
    assert!(
        public.contains("user.custom_tool_result 2: The model declined to go on"),
        "{public}"
    );
    assert!(
        public.ends_with("session.status_idle refusal \"cyber\""),
        "{public}"
    );
}

#[test]
fn a_deadline_answers_for_the_client() {
    let mut log = Log::play(&["user: a", "asks look_up within 10s; asks look_up"]);
    let due = log
        .state
        .summary()
        .needs_runner_at()
        .expect("a runner is due later");
    assert_eq!(due.since(log.env.now()).as_secs(), 10);
    assert_eq!(log.next(), "wait");
    log.go_on(&["pass 10s"]);
    assert!(
        log.public()
            .ends_with("session.status_idle requires_action 2"),
        "{}",
        log.public()
    );
    assert_eq!(log.state.summary().needs_runner_at(), None);
    log.go_on(&["given 1: late", "given 2: in time"]);
    assert_eq!(log.next(), "call the model");
    let shown = log.shown();
    assert!(
        shown.contains("result toolu_1: The client did not answer"),
        "{shown}"
    );
    assert!(shown.contains("result toolu_2: in time"), "{shown}");
}

#[test]
fn the_last_deadline_wakes_the_agent() {
    let mut log = Log::play(&["user: a", "asks look_up within 10s", "restart", "pass 11s"]);
    assert_eq!(log.next(), "call the model");
    log.go_on(&["says: nobody there"]);
    assert!(
        log.public()
            .contains("session.status_running\nsession.thread_status_running\nspan")
    );
}

#[test]
fn answers_to_what_is_no_such_call_are_refused() {
    let mut log = Log::play(&[
        "user: a",
        "calls bash asked; asks look_up; calls web denied",
    ]);
    let confirm = |id, seen| {
        let confirmation = ToolConfirmation {
            tool_use_id: id,
            result: Confirmed::Allow,
            deny_message: None,
        };
        Input::Confirmation(confirmation, seen)
    };
    let unknown = confirm(log.env.id(), None);
    let refused = log.send(vec![unknown]).unwrap_err();
    let key = "tool_use_id";
    assert_eq!(refused, Refusal::UnknownCall { position: 0, key });
    let custom = confirm(log.call("2"), None);
    assert_eq!(
        log.send(vec![custom]),
        Err(Refusal::NotAsked { position: 0 })
    );
    let denied = confirm(log.call("3"), Some(CallSeen::Other));
    assert_eq!(
        log.send(vec![denied]),
        Err(Refusal::NotAsked { position: 0 })
    );
    let asked = log.input("given 1: x");
    assert_eq!(
        log.send(vec![asked]),
        Err(Refusal::NotCustom { position: 0 })
    );
    // All or none.
    let good = log.input("allow 1");
    let bad = confirm(log.env.id(), None);
    let refused = log.send(vec![good, bad]).unwrap_err();
    assert_eq!(refused, Refusal::UnknownCall { position: 1, key });
    assert_eq!(log.state.summary().awaited.len(), 2);
}

#[test]
fn words_of_the_system_stand_behind_what_they_come_with() {
    let mut log = Log::play(&["system: be brief"]);
    assert_eq!(log.next(), "wait");
    assert_eq!(log.state.summary().needs_runner_at(), None);
    log.go_on(&["user: a; system: and kind", "asks look_up"]);
    let refused = log.send(vec![log.input("system: alone")]).unwrap_err();
    assert!(
        matches!(refused, Refusal::WaitsForAction { .. }),
        "{refused}"
    );
    log.go_on(&["given 1: found; system: hurry", "says: b"]);
    assert_eq!(
        log.shown(),
        "user: a
system: be brief | and kind
assistant: use toolu_1
user: result toolu_1: found
system: hurry
assistant: b"
    );
}
