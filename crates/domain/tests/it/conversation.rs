//! What a model is shown: nothing that a provider would refuse, and a prefix that never changes.

use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::event::{AgentToolResult, Event, UserMessage};

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

const LEFT_OUT: &str = "[An image or a document that was attached here is left out: the model \
                        refused a request that held it.]";

fn image(source: Source) -> ContentBlock {
    ContentBlock::Image { source }
}

fn with_media(text: &str) -> Event {
    let url = Source::Url {
        url: "https://example.com/a.png".to_owned(),
    };
    let file = Source::File {
        file_id: "file_1".to_owned(),
    };
    let content = vec![image(url), image(file), ContentBlock::text(text)];
    Event::UserMessage(UserMessage { content })
}

#[test]
fn media_that_a_model_rejects_is_not_shown_again() {
    let mut log = Log::play(&["user: a", "says: b"]);
    log.push(with_media("kept"));
    log.go_on(&["says: seen"]);
    let before = log.shown();
    log.push(with_media("c"));
    log.settle();
    assert!(log.shown().ends_with("user: image | image | c"));
    log.go_on(&["fails rejected"]);
    let after = format!("{before}\nuser: {LEFT_OUT} | {LEFT_OUT} | c");
    assert_eq!(log.shown(), after);
    log.go_on(&["user: d"]);
    assert_eq!(log.shown(), format!("{after} | d"));
    assert_eq!(log.next(), "call the model");
}

#[test]
fn media_in_a_result_that_a_model_rejects_is_not_shown_again() {
    let mut log = Log::play(&["user: a", "calls read; calls bash", "result 2: fine"]);
    let data = Source::Base64 {
        media_type: "image/png".to_owned(),
        data: "AAAA".to_owned(),
    };
    let tool_use_id = log.call("1");
    log.push(Event::AgentToolResult(AgentToolResult {
        tool_use_id,
        content: vec![image(data)],
        is_error: false,
    }));
    log.settle();
    log.go_on(&["fails rejected"]);
    let shown = format!(
        "user: a
assistant: use toolu_1 | use toolu_2
user: result toolu_1: {LEFT_OUT} | result toolu_2: fine"
    );
    assert_eq!(log.shown(), shown);
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
