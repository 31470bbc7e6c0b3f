//! The judge sees each lie that a server could tell.

use serde_json::json;

use super::super::book::Seen;
use super::*;

/// A session of one message that asked for one run, and of what a good server says of it.
fn story() -> (Book, Vec<Value>) {
    let mut book = Book::new("sesn_1".to_owned());
    book.acknowledged.push(("m1".into(), Some("word:1".into())));
    book.unsure.push("word:2".into());
    book.runs.push("c0n1".into());
    let input = json!({ "command": Task::Run("c0n1".into()).command() });
    let shown = json!([{ "type": "text", "text": "record: c0n1\n" }]);
    let show = json!({ "command": Task::Show("c0n2".into()).command() });
    let said = json!([{ "type": "text", "text": "go word:1 run:c0n1" }]);
    let events = vec![
        json!({ "id": "m1", "type": "user.message", "processed_at": "now", "content": said }),
        json!({ "id": "r1", "type": "span.model_request_start" }),
        json!({ "id": "r2", "type": "span.model_request_end" }),
        json!({ "id": "t1", "type": "agent.tool_use", "input": input }),
        json!({ "id": "t2", "type": "agent.tool_result", "tool_use_id": "t1", "content": [] }),
        json!({ "id": "t3", "type": "agent.tool_use", "input": show }),
        json!({ "id": "t4", "type": "agent.tool_result", "tool_use_id": "t3", "content": shown }),
        json!({ "id": "i1", "type": "session.status_idle" }),
    ];
    (book, events)
}

/// The judge's words on a story that was changed before the reader and the list saw it.
fn verdict(change: impl FnOnce(&mut Book, &mut Vec<Value>)) -> String {
    let (mut book, mut events) = story();
    change(&mut book, &mut events);
    if book.frames.is_empty() {
        book.frames = events.iter().zip(1..).map(seen).collect();
    }
    let mut found = Found::default();
    found.compare(&book, &events);
    found.failures.join("; ")
}

fn seen((event, position): (&Value, i64)) -> Seen {
    Seen {
        position,
        event: text(event, "id").to_owned(),
        kind: text(event, "type").to_owned(),
    }
}

fn result(events: &mut [Value]) -> &mut Value {
    &mut events[4]
}

#[test]
fn a_good_server_is_not_blamed() {
    assert_eq!(verdict(|_, _| {}), "");
}

#[test]
fn what_was_acknowledged_is_there_once_and_processed() {
    let lost = verdict(|book, _| book.acknowledged.push(("m9".into(), None)));
    assert!(lost.contains("acknowledged and lost: m9"), "{lost}");
    let twice = verdict(|_, events| events.insert(1, events[0].clone()));
    assert!(twice.contains("word:1 is there 2 times"), "{twice}");
    let waits = verdict(|_, events| events[0]["processed_at"] = Value::Null);
    assert!(waits.contains("never processed"), "{waits}");
}

#[test]
fn what_was_never_answered_is_not_there_twice() {
    let message = |id: &str| {
        let content = json!([{ "type": "text", "text": "word:2" }]);
        json!({ "id": id, "type": "user.message", "processed_at": "now", "content": content })
    };
    let once = verdict(|_, events| events.insert(1, message("m2")));
    assert_eq!(once, "");
    let twice = verdict(|_, events| {
        events.insert(1, message("m2"));
        events.insert(2, message("m3"));
    });
    assert!(twice.contains("word:2 is there 2 times"), "{twice}");
}

#[test]
fn the_stream_over_all_restarts_is_the_list() {
    let gap = verdict(|book, events| {
        book.frames = events.iter().zip(1..).map(seen).collect();
        book.frames.remove(3);
    });
    assert!(gap.contains("the stream has 7 events, the list 8"), "{gap}");
    let again = verdict(|book, events| {
        book.frames = events.iter().zip(1..).map(seen).collect();
        book.frames[4].position = 4;
    });
    assert!(again.contains("do not grow"), "{again}");
    let restless = verdict(|_, events| {
        events.pop();
    });
    assert!(restless.contains("its last event is"), "{restless}");
}

#[test]
fn a_call_has_one_result_and_the_record_bears_it_out() {
    let none = verdict(|_, events| {
        events.remove(4);
    });
    assert!(none.contains("0 results of"), "{none}");
    let twice = verdict(|_, events| events[6]["content"][0]["text"] = "record: c0n1 c0n1".into());
    assert!(twice.contains("c0n1 ran 2 times"), "{twice}");
    let never = verdict(|_, events| events[6]["content"][0]["text"] = "record:".into());
    assert!(never.contains("c0n1 did not run"), "{never}");
    let told = verdict(|_, events| {
        events[6]["content"][0]["text"] = "record:".into();
        result(events)["is_error"] = true.into();
    });
    assert_eq!(told, "");
    let secret = verdict(|_, events| events[6]["content"][0]["text"] = "record: c0n1 c0n7".into());
    assert!(secret.contains("c0n7 ran and no call says so"), "{secret}");
}

#[test]
fn a_model_request_that_began_has_an_end() {
    let open = verdict(|_, events| {
        events.remove(2);
    });
    assert!(
        open.contains("1 model requests began and 0 ended"),
        "{open}"
    );
}
