//! What every provider demands of a conversation.

use std::sync::Arc;

use hostler_domain::session::{Message, Role};
use serde_json::Value;

use crate::show::block_json;

/// Users begin, roles alternate, words of the system stand behind the user's, no message and no text is empty, and every call is answered at
/// the beginning of the message that follows it. No answer ends with a thought.
pub(crate) fn check(messages: &[Arc<Message>]) {
    let first = messages.first().expect("a conversation");
    assert_eq!(first.role, Role::User, "{messages:#?}");
    let mut open: Vec<String> = Vec::new();
    let mut before = None;
    for message in messages {
        assert_ne!(before, Some(message.role), "{messages:#?}");
        if message.role == Role::System {
            assert_eq!(before, Some(Role::User), "{messages:#?}");
            assert!(open.is_empty(), "{messages:#?}");
        }
        before = Some(message.role);
        let blocks: Vec<Value> = message.blocks.iter().map(block_json).collect();
        assert!(!blocks.is_empty(), "{messages:#?}");
        let answered: Vec<String> = ids(&blocks, "tool_result", "tool_use_id");
        assert_eq!(answered, open, "{messages:#?}");
        let leading = blocks
            .iter()
            .take_while(|block| block["type"] == "tool_result");
        assert_eq!(leading.count(), open.len(), "{messages:#?}");
        for block in &blocks {
            assert!(has_words(block), "{messages:#?}");
        }
        if message.role == Role::Assistant {
            let last = blocks.last().map(|block| block["type"].clone());
            assert_ne!(last, Some("thinking".into()), "{messages:#?}");
        }
        open = ids(&blocks, "tool_use", "id");
    }
    assert!(open.is_empty(), "calls without results: {messages:#?}");
}

/// Whether neither the block nor one inside it is text without a word, nor a result empty.
fn has_words(block: &Value) -> bool {
    let words = |text: &Value| text.as_str().is_none_or(|text| !text.trim().is_empty());
    let inner = block["content"].as_array();
    words(&block["text"])
        && inner.is_none_or(|inner| !inner.is_empty() && inner.iter().all(has_words))
}

fn ids(blocks: &[Value], kind: &str, key: &str) -> Vec<String> {
    let wanted = blocks.iter().filter(|block| block["type"] == kind);
    wanted
        .map(|block| block[key].as_str().unwrap().to_owned())
        .collect()
}
