//! Tasks in messages: what a client asks for by a word, and the call that does it. The answer to a request
//! depends on nothing but the request, so that one that is made again after a crash gets the same answer.

use std::collections::HashSet;
use std::fmt;

use serde_json::Value;

/// The file that runs leave their names in, in the working directory of the sandbox.
const RECORD: &str = "ran";

/// What a shown record begins with; the names follow in one line.
pub(crate) const SHOWN: &str = "record:";

const RUN: &str = "run:";
const SHOW: &str = "show:";
const CALL: &str = "toolu_";

/// A word in a message. The names are the client's, and no two are the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    /// A command that appends the name to the record.
    Run(String),
    /// A command that shows the record.
    Show(String),
}

/// A call of `bash`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) command: String,
    /// Some servers of others demand one; ours refuses what it does not know.
    pub(super) description: Option<&'static str>,
}

impl Task {
    fn read(word: &str) -> Option<Self> {
        let run = word
            .strip_prefix(RUN)
            .map(|name| Self::Run(name.to_owned()));
        run.or_else(|| {
            word.strip_prefix(SHOW)
                .map(|name| Self::Show(name.to_owned()))
        })
    }

    fn call(&self) -> Call {
        match self {
            Self::Run(name) | Self::Show(name) => Call {
                id: format!("{CALL}{name}"),
                command: self.command(),
                description: None,
            },
        }
    }

    /// What the sandbox is asked to do.
    pub(crate) fn command(&self) -> String {
        match self {
            Self::Run(name) => format!("echo {name} >> {RECORD}"),
            Self::Show(name) => format!("echo {SHOWN} $(cat {RECORD} 2>/dev/null) # {name}"),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(name) => write!(f, "{RUN}{name}"),
            Self::Show(name) => write!(f, "{SHOW}{name}"),
        }
    }
}

/// The call of the first task that the request's messages ask for and no call in them has begun.
pub(super) fn next_call(request: &[u8]) -> Option<Call> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let (mut asked, mut begun) = (Vec::new(), HashSet::new());
    for message in request["messages"].as_array()? {
        if message["role"] == "user" {
            asked.extend(texts(&message["content"]).flat_map(|text| {
                text.split_whitespace()
                    .filter_map(Task::read)
                    .collect::<Vec<_>>()
            }));
        } else {
            let calls = message["content"].as_array().into_iter().flatten();
            begun.extend(calls.filter_map(|block| block["id"].as_str()));
        }
    }
    asked
        .iter()
        .map(Task::call)
        .find(|call| !begun.contains(call.id.as_str()))
}

/// How many calls the request's messages hold; none within if it offers no tools, none at all if it can't be read.
pub(super) fn calls_in(request: &[u8]) -> Option<Option<usize>> {
    let request: Value = serde_json::from_slice(request).ok()?;
    let messages = request["messages"].as_array()?;
    let blocks = messages
        .iter()
        .filter_map(|message| message["content"].as_array())
        .flatten();
    let calls = blocks.filter(|block| block["type"] == "tool_use").count();
    let offers = request["tools"]
        .as_array()
        .is_some_and(|tools| !tools.is_empty());
    Some(offers.then_some(calls))
}

fn texts(content: &Value) -> impl Iterator<Item = &str> {
    let blocks = content.as_array().into_iter().flatten();
    let of_blocks = blocks.filter_map(|block| block["text"].as_str());
    content.as_str().into_iter().chain(of_blocks)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(begun: &[&str]) -> Option<String> {
        let text = json!([{ "type": "text", "text": "Please run:a run:b and show:c" }]);
        let mut messages = vec![json!({ "role": "user", "content": text })];
        for id in begun {
            let call = json!({ "type": "tool_use", "id": id, "name": "bash", "input": {} });
            messages.push(json!({ "role": "assistant", "content": [call] }));
        }
        let request = json!({ "messages": messages }).to_string();
        next_call(request.as_bytes()).map(|call| call.command)
    }

    #[test]
    fn calls_are_counted_where_tools_are_offered() {
        let call = json!({ "type": "tool_use", "id": "a", "name": "bash", "input": {} });
        let messages = json!([{ "role": "user", "content": "go" }, { "role": "assistant", "content": [call] }]);
        let asked = |tools| json!({ "messages": messages, "tools": tools }).to_string();
        assert_eq!(
            calls_in(asked(json!([{ "name": "bash" }])).as_bytes()),
            Some(Some(1))
        );
        assert_eq!(calls_in(asked(json!([])).as_bytes()), Some(None));
        assert_eq!(calls_in(b"no JSON"), None);
    }

    #[test]
    fn tasks_are_called_in_the_order_of_their_words_and_once() {
        assert_eq!(after(&[]).unwrap(), "echo a >> ran");
        assert_eq!(after(&["toolu_a"]).unwrap(), "echo b >> ran");
        assert_eq!(
            after(&["toolu_a", "toolu_b"]).unwrap(),
            "echo record: $(cat ran 2>/dev/null) # c"
        );
        assert_eq!(after(&["toolu_a", "toolu_b", "toolu_c"]), None);
    }
}
