//! What the instant model answers to whom, and what it was asked.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::tasks::{Call, calls_in, next_call};
use super::wire::{self, Pieces};
use crate::counters::Reading;
use crate::floor::Floor;

/// How a session is told from others: a word in its first message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Token(u32);

const OPENS: &[u8] = b"[[bench-";

impl Token {
    /// The first token in a request; later messages of a session repeat it.
    pub(super) fn find(body: &[u8]) -> Option<Self> {
        let start = body
            .windows(OPENS.len())
            .position(|window| window == OPENS)?
            + OPENS.len();
        let digits: Vec<u8> = body[start..]
            .iter()
            .copied()
            .take_while(u8::is_ascii_digit)
            .collect();
        std::str::from_utf8(&digits).ok()?.parse().ok().map(Self)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[[bench-{}]]", self.0)
    }
}

/// What decides the answer to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum By {
    /// How many requests there were before: so many tool calls, then text to everything.
    #[default]
    Number,
    /// What its messages ask for and was not begun: a request that is made again is answered as before.
    Tasks,
    /// How many calls its messages hold. For servers of others, which may ask for a title beside: what offers no
    /// tools gets text, and is not noted.
    Calls,
}

/// How the requests with one token are answered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    pub(crate) by: By,
    pub(crate) tool_calls: usize,
    /// What the tool calls by number run; without it, `true`, for which the shell needs no process.
    pub(crate) command: Option<&'static str>,
    /// How long each answer takes to come.
    pub(crate) think: Duration,
    /// A tool call comes behind a word to the user.
    pub(crate) talks: bool,
    /// Answers wait until it is open.
    pub(crate) gate: Option<watch::Receiver<bool>>,
    pub(crate) between: Option<Between>,
    /// The rest of each answer is held back until somebody has seen its beginning, and says so here.
    pub(crate) seen: Option<Arc<Notify>>,
}

/// What is measured while the server waits for the model: the floor at each request, the server's counters
/// at some.
#[derive(Debug, Clone)]
pub(crate) struct Between {
    pub(crate) floor: Floor,
    pub(crate) server: u32,
    pub(crate) counters_at: Vec<usize>,
    pub(crate) readings: Arc<Mutex<HashMap<usize, Reading>>>,
}

impl Between {
    pub(crate) fn new(floor: Floor, server: u32, counters_at: Vec<usize>) -> Self {
        Self {
            floor,
            server,
            counters_at,
            readings: Arc::default(),
        }
    }

    pub(super) fn measure(&self, number: usize) -> anyhow::Result<()> {
        if self.counters_at.contains(&number) {
            let reading = Reading::of(self.server)?;
            let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
            readings.insert(number, reading);
        }
        self.floor.measure()
    }

    /// The counters as they stood when this request was being answered.
    pub(crate) fn reading(&self, number: usize) -> Option<Reading> {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        readings.get(&number).cloned()
    }
}

/// One request and its answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// When the head of the request was there.
    pub(crate) arrived: Instant,
    /// When the last byte was given to the connection; none while the answer waits.
    pub(crate) answered: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Scripts {
    by_token: HashMap<Token, (Script, Vec<Asked>)>,
    pub(super) strays: usize,
}

pub(super) struct Answer {
    pub(super) number: usize,
    pub(super) pieces: Pieces,
    pub(super) think: Duration,
    pub(super) gate: Option<watch::Receiver<bool>>,
    pub(super) between: Option<Between>,
    pub(super) seen: Option<Arc<Notify>>,
}

impl Answer {
    /// To a question beside the conversation, whose time is nobody's.
    fn beside() -> Self {
        Self {
            number: usize::MAX,
            pieces: wire::text(),
            think: Duration::ZERO,
            gate: None,
            between: None,
            seen: None,
        }
    }
}

impl Scripts {
    pub(super) fn add(&mut self, script: Script) -> Token {
        let token = Token(u32::try_from(self.by_token.len()).unwrap_or(u32::MAX));
        self.by_token.insert(token, (script, Vec::new()));
        token
    }

    pub(super) fn ask(&mut self, token: Token, body: &[u8], arrived: Instant) -> Option<Answer> {
        let (script, asked) = self.by_token.get_mut(&token)?;
        let number = asked.len();
        let calls = match script.by {
            By::Calls => calls_in(body)?,
            By::Number | By::Tasks => Some(number),
        };
        let Some(calls) = calls else {
            return Some(Answer::beside());
        };
        asked.push(Asked {
            arrived,
            answered: None,
        });
        let call = match script.by {
            By::Number | By::Calls => (calls < script.tool_calls).then(|| Call {
                id: format!("toolu_{}_{calls}", token.0),
                command: script.command.unwrap_or("true").to_owned(),
                description: (script.by == By::Calls).then_some("One step"),
            }),
            By::Tasks => next_call(body),
        };
        let pieces = match (call, script.talks) {
            (Some(call), false) => wire::bash(&call),
            (Some(call), true) => wire::text_and_bash(&call),
            (None, _) => wire::text(),
        };
        Some(Answer {
            number,
            pieces,
            think: script.think,
            gate: script.gate.clone(),
            between: script.between.clone(),
            seen: script.seen.clone(),
        })
    }

    pub(super) fn answered(&mut self, token: Token, number: usize, at: Instant) {
        if let Some(asked) = self
            .by_token
            .get_mut(&token)
            .and_then(|(_, all)| all.get_mut(number))
        {
            asked.answered = Some(at);
        }
    }

    pub(super) fn asked(&self, token: Token) -> Vec<Asked> {
        self.by_token
            .get(&token)
            .map(|(_, asked)| asked.clone())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_of_a_request_counts() {
        let body = br#"{"messages":[{"content":"go [[bench-17]]"},{"content":"[[bench-3]]"}]}"#;
        assert_eq!(Token::find(body), Some(Token(17)));
        assert_eq!(Token::find(b"[[bench-]]"), None);
        assert_eq!(Token::find(b"nothing"), None);
    }

    #[test]
    fn a_token_is_found_as_it_is_written() {
        assert_eq!(
            Token::find(Token(42).to_string().as_bytes()),
            Some(Token(42))
        );
    }
}
