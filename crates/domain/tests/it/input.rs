//! What clients may send and change, and when.

use std::collections::BTreeMap;

use hostler_domain::session::{Input, Refusal, SessionChange, SessionStatus, archive, update};
use hostler_protocol::event::UserInterrupt;

use crate::Log;
use crate::log::message;

fn interrupt() -> Input {
    Input::Interrupt(UserInterrupt::default())
}

fn in_status(status: SessionStatus) -> Log {
    Log::play(match status {
        SessionStatus::Idle => &["user: a", "says: b"],
        SessionStatus::Running => &["user: a"],
        SessionStatus::Rescheduling => &["user: a", "fails in 9s"],
        SessionStatus::Terminated => {
            return Log::read("terminated");
        }
    })
}

#[test]
fn a_message_to_an_idle_session_starts_it_in_the_same_breath() {
    let mut log = Log::new();
    log.send(vec![Input::Message(message("a"))]).unwrap();
    let names: Vec<&str> = log.rows[1..].iter().map(|row| row.event.name()).collect();
    assert_eq!(
        names,
        [
            "user.message",
            "session.status_running",
            "session.thread_status_running"
        ]
    );
    log.send(vec![Input::Message(message("b"))]).unwrap();
    assert_eq!(log.rows.len(), 5, "a running session is not started again");
}

#[test]
fn a_terminated_session_takes_nothing() {
    let mut log = in_status(SessionStatus::Terminated);
    assert_eq!(log.send(vec![interrupt()]), Err(Refusal::Terminated));
    let title = SessionChange {
        title: Some(None),
        ..SessionChange::default()
    };
    let refused = update(log.state.summary(), &title).unwrap_err();
    assert_eq!(refused, Refusal::Terminated);
    assert!(archive(log.state.summary()).unwrap().is_empty());
}

#[test]
fn the_queue_has_an_end_but_not_for_interrupts() {
    let mut log = in_status(SessionStatus::Running);
    let full = (0..1_000).map(|_| Input::Message(message("x"))).collect();
    log.send(full).unwrap();
    let one_more = vec![Input::Message(message("x"))];
    assert_eq!(log.send(one_more), Err(Refusal::QueueFull));
    log.send(vec![interrupt()]).unwrap();
    let flood = (0..1_000).map(|_| interrupt()).collect();
    assert_eq!(log.send(flood), Err(Refusal::QueueFull));
}

#[test]
fn an_interrupt_names_the_one_thread_or_none() {
    let mut log = in_status(SessionStatus::Running);
    let at = |thread| {
        Input::Interrupt(UserInterrupt {
            session_thread_id: Some(thread),
        })
    };
    let other = log.env.id();
    let refused = log.send(vec![interrupt(), at(other)]);
    assert_eq!(refused, Err(Refusal::UnknownThread { position: 1 }));
    log.send(vec![at(log.thread())]).unwrap();
    assert!(log.state.interrupted());
}

#[test]
fn only_a_session_at_rest_is_archived() {
    let events = archive(in_status(SessionStatus::Idle).state.summary()).unwrap();
    let names: Vec<&str> = events.iter().map(|event| event.name()).collect();
    assert_eq!(
        names,
        [
            "session.thread_status_terminated",
            "session.status_terminated"
        ]
    );
    for status in [SessionStatus::Running, SessionStatus::Rescheduling] {
        let refused = archive(in_status(status).state.summary()).unwrap_err();
        let text = format!("Cannot archive session while it is {}.", status.as_str());
        assert!(refused.to_string().starts_with(&text), "{refused}");
    }
}

#[test]
fn an_agent_changes_only_at_rest_and_the_rest_at_any_time() {
    let running = in_status(SessionStatus::Running);
    let agent = SessionChange {
        agent: Some(Box::new(running.state.agent().as_ref().clone())),
        ..SessionChange::default()
    };
    let refused = update(running.state.summary(), &agent).unwrap_err();
    assert!(matches!(
        refused,
        Refusal::Busy {
            status: "running",
            ..
        }
    ));
    let idle = in_status(SessionStatus::Idle);
    assert_eq!(update(idle.state.summary(), &agent).unwrap().len(), 1);

    let change = SessionChange {
        title: Some(Some("t".to_owned())),
        metadata: Some(BTreeMap::new()),
        agent: None,
    };
    let events = update(running.state.summary(), &change).unwrap();
    // A bag that is empty now is left out.
    assert_eq!(
        events[0].to_json(),
        r#"{"type":"session.updated","title":"t"}"#
    );
    let untitled = SessionChange {
        title: Some(None),
        ..SessionChange::default()
    };
    let events = update(running.state.summary(), &untitled).unwrap();
    assert_eq!(
        events[0].to_json(),
        r#"{"type":"session.updated","title":null}"#
    );
    let nothing = update(running.state.summary(), &SessionChange::default());
    assert!(nothing.unwrap().is_empty());
}
