//! What a model is shown: nothing that a provider would refuse, and a prefix that never changes.

use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{Event, UserMessage};

use crate::Log;

#[test]
fn text_without_a_word_is_not_shown() {
    let mut log = Log::play(&["user: a", "says:  ; says: b; calls bash", "result 1:  "]);
    assert_eq!(
        log.shown(),
        "user: a\nassistant: b | use toolu_1\nuser: result toolu_1: (empty)"
    );
    let content = ["", "c", "\n"].map(ContentBlock::text).to_vec();
    log.push(Event::UserMessage(UserMessage { content }));
    log.go_on(&["says: d"]);
    assert!(log.shown().ends_with("assistant: d\nuser: c"));
}

#[test]
fn a_call_that_was_not_announced_is_not_shown() {
    let mut log = Log::read("user: a\nrunning\ntook message\nstart\nsays: b\ncalls bash");
    // What a torn append would lose: the event of the call.
    log.line("start");
    log.line("answered");
    log.line("end");
    assert_eq!(log.shown(), "user: a\nassistant: b");
}

#[test]
fn each_request_begins_with_the_one_before() {
    let mut log = Log::new();
    let mut before = String::new();
    for entry in [
        "user: a",
        "calls bash; calls read",
        "result 2",
        "user: b",
        "result 1",
        "says: c",
        "interrupt",
        "user: d",
        "interrupt; user: e",
        "restart",
        "says: f",
    ] {
        log.go_on(&[entry]);
        let shown = log.shown();
        assert!(shown.starts_with(&before), "{before}\n---\n{shown}");
        before = shown;
    }
}
