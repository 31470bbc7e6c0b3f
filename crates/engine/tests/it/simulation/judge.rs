//! What must hold, whatever happened. Each sentence is a promise that was broken.

use std::collections::{BTreeMap, BTreeSet};

use hostler_domain::session::{SessionStatus, State};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{AgentToolResult, Epoch, Event, Recorded, Seq};
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::Witnessed;

use super::client::{Answer, Book};
use super::office::Kept;
use super::reader::Seen;
use super::world::{OfSession, Outcome};

pub(super) fn judge(outcome: &Outcome) -> Vec<String> {
    let mut broken = Vec::new();
    for session in &outcome.restless {
        broken.push(format!("{session} does not come to rest"));
    }
    for session in &outcome.sessions {
        let mut sentences = of_session(session, outcome);
        let name = session.book.session.map(|id| id.to_string());
        let name = name.unwrap_or_default();
        broken.extend(
            sentences
                .drain(..)
                .map(|sentence| format!("{name}: {sentence}")),
        );
    }
    broken.extend(leases(&outcome.witnessed));
    broken.extend(usage_is_counted_once(outcome));
    broken.extend(commands_have_calls(outcome));
    broken
}

fn of_session(session: &OfSession, outcome: &Outcome) -> Vec<String> {
    let OfSession { book, kept, read } = session;
    let Some(kept) = kept else {
        return gone(book);
    };
    let mut broken = Vec::new();
    if book.deletion == Answer::Yes {
        broken.push("it was deleted and is there".to_owned());
    }
    broken.extend(positions(kept));
    broken.extend(inputs(book, kept));
    broken.extend(fold(kept));
    broken.extend(end(book, kept));
    broken.extend(calls(kept, &outcome.ran));
    broken.extend(requests(kept));
    broken.extend(reading(kept, read));
    broken
}

fn gone(book: &Book) -> Vec<String> {
    let may_be_gone =
        book.creation != Answer::Yes || matches!(book.deletion, Answer::Yes | Answer::Unknown);
    match may_be_gone {
        true => Vec::new(),
        false => vec!["its creation was acknowledged and it is not there".to_owned()],
    }
}

fn positions(kept: &Kept) -> Vec<String> {
    let mut broken = Vec::new();
    for (row, seq) in kept.log.iter().zip(1..) {
        if row.seq != Seq(seq) {
            broken.push(format!("row {seq} has the position {}", row.seq.0));
        }
    }
    let last = kept.log.last().map_or(Seq(0), |row| row.seq);
    if last != kept.last_seq {
        broken.push(format!(
            "its row says {:?} and its log {last:?}",
            kept.last_seq
        ));
    }
    let mut ids = BTreeSet::new();
    // That an input was processed is shown under its own id.
    let is_new = |row: &&Recorded| !matches!(row.event, Event::InputProcessed(_));
    for row in kept.log.iter().filter(is_new) {
        if !ids.insert(row.id) {
            broken.push(format!("{} is there twice", row.id));
        }
    }
    let epochs = kept.log.iter().map(|row| row.epoch);
    let mut newest = Epoch::CLIENT;
    for epoch in epochs.filter(|epoch| *epoch != Epoch::CLIENT) {
        if epoch < newest {
            broken.push(format!("{epoch:?} behind {newest:?}"));
        }
        newest = newest.max(epoch);
    }
    broken
}

fn inputs(book: &Book, kept: &Kept) -> Vec<String> {
    let mut broken = Vec::new();
    let mut known = BTreeSet::new();
    let received = |id: EventId| {
        kept.log
            .iter()
            .filter(|row| row.id == id && is_input(row))
            .count()
    };
    for (id, answer) in &book.inputs {
        known.insert(*id);
        let times = received(*id);
        match answer {
            Answer::Yes if times != 1 => {
                broken.push(format!("{id} was acknowledged and is there {times} times"));
            }
            Answer::No if times != 0 => broken.push(format!("{id} was refused and is there")),
            Answer::Unknown if times > 1 => broken.push(format!("{id} is there {times} times")),
            Answer::Yes | Answer::No | Answer::Unknown | Answer::NotAsked => {}
        }
        let processed = processed(kept, *id);
        let is_over = kept.summary.status == SessionStatus::Terminated;
        if times == 1 && processed != 1 && !(is_over && processed == 0) {
            broken.push(format!("{id} was processed {processed} times"));
        }
        let shown = kept
            .shown
            .iter()
            .filter(|(_, shown)| *shown == id.to_string())
            .count();
        if shown != times {
            broken.push(format!(
                "{id} is in the log {times} times and shown {shown} times"
            ));
        }
    }
    let strangers = kept
        .log
        .iter()
        .filter(|row| is_input(row) && !known.contains(&row.id));
    broken.extend(strangers.map(|row| format!("nobody sent {}", row.id)));
    broken.extend(titles(book, kept));
    broken
}

fn processed(kept: &Kept, id: EventId) -> usize {
    let is_this = |row: &&Recorded| match &row.event {
        Event::InputProcessed(processed) => processed.event_id == id,
        _ => false,
    };
    kept.log.iter().filter(is_this).count()
}

fn titles(book: &Book, kept: &Kept) -> Vec<String> {
    let mut broken = Vec::new();
    for (title, answer) in &book.titles {
        let is_this = |row: &&Recorded| match &row.event {
            Event::SessionUpdated(updated) => updated.title == Some(Some(title.clone())),
            _ => false,
        };
        let times = kept.log.iter().filter(is_this).count();
        let is_right = match answer {
            Answer::Yes => times == 1,
            Answer::No => times == 0,
            Answer::Unknown | Answer::NotAsked => times <= 1,
        };
        if !is_right {
            broken.push(format!("{title:?} ({answer:?}) is there {times} times"));
        }
    }
    broken
}

fn is_input(row: &Recorded) -> bool {
    matches!(row.event, Event::UserMessage(_) | Event::UserInterrupt(_))
}

/// The stored row is what the log amounts to.
fn fold(kept: &Kept) -> Option<String> {
    let (first, rest) = kept.log.split_first()?;
    let mut state = State::new(first);
    for row in rest {
        state.apply(row);
    }
    (*state.summary() != kept.summary).then(|| {
        format!(
            "its row says {:?} and its log {:?}",
            kept.summary,
            state.summary()
        )
    })
}

fn end(book: &Book, kept: &Kept) -> Vec<String> {
    let mut broken = Vec::new();
    let status = kept.summary.status;
    let is_archived = kept.summary.status == SessionStatus::Terminated;
    if book.archiving == Answer::Yes && !is_archived {
        broken.push("it was archived and is not".to_owned());
    }
    if status == SessionStatus::Terminated
        && matches!(book.archiving, Answer::NotAsked | Answer::No)
        && !is_given_up(kept)
    {
        broken.push("nobody has ended it".to_owned());
    }
    let is_rest = |row: &&Recorded| matches!(row.event, Event::SessionStatusIdle(_));
    let is_start = |row: &&Recorded| matches!(row.event, Event::SessionStatusRunning(_));
    let rests = kept.log.iter().filter(is_rest).count();
    let starts = kept.log.iter().filter(is_start).count();
    if status == SessionStatus::Idle && rests > starts {
        broken.push(format!(
            "it began {starts} times and came to rest {rests} times"
        ));
    }
    broken
}

/// After too many deaths of servers.
pub(super) fn is_given_up(kept: &Kept) -> bool {
    kept.log.iter().any(|row| match &row.event {
        Event::SessionError(error) => error.error.message.contains("again and again"),
        _ => false,
    })
}

/// Each call has one result, and its command ran as that says.
fn calls(kept: &Kept, ran: &BTreeMap<String, usize>) -> Vec<String> {
    let mut broken = Vec::new();
    let mut results: BTreeMap<EventId, Vec<&AgentToolResult>> = BTreeMap::new();
    for row in &kept.log {
        if let Event::AgentToolResult(result) = &row.event {
            results.entry(result.tool_use_id).or_default().push(result);
        }
    }
    for row in &kept.log {
        let Event::AgentToolUse(_) = &row.event else {
            continue;
        };
        let times = ran.get(&row.id.to_string()).copied().unwrap_or(0);
        if times > 1 {
            broken.push(format!("{} ran {times} times", row.id));
        }
        match results.remove(&row.id).unwrap_or_default().as_slice() {
            [] if is_given_up(kept) => {}
            [result] => broken.extend(result_is_true(result, times)),
            results => broken.push(format!("{} has {} results", row.id, results.len())),
        }
    }
    broken.extend(
        results
            .keys()
            .map(|id| format!("a result of {id}, which nobody called")),
    );
    broken
}

fn result_is_true(result: &AgentToolResult, times: usize) -> Option<String> {
    let id = result.tool_use_id;
    let told = text(result);
    let says_that_it_ran = told.contains(&format!("{id} ran"));
    if says_that_it_ran && times != 1 {
        return Some(format!("{id} is told to have run and ran {times} times"));
    }
    // What is told not to have been begun.
    let was_refused = told.contains("no command") || told.contains("there is no tool");
    (was_refused && times != 0).then(|| format!("{id} is told to be refused and ran"))
}

fn text(result: &AgentToolResult) -> String {
    let texts = result.content.iter().filter_map(|block| match block {
        ContentBlock::Text { text } => Some(text.as_str()),
        _ => None,
    });
    texts.collect::<Vec<_>>().join("\n")
}

/// Each start of a request has one end, and none begins in another.
fn requests(kept: &Kept) -> Vec<String> {
    let mut broken = Vec::new();
    let mut open: Option<EventId> = None;
    for row in &kept.log {
        let started = match &row.event {
            Event::ModelRequestStart(_) => open.replace(row.id),
            Event::ModelRequestEnd(end) if open == Some(end.model_request_start_id) => {
                open = None;
                None
            }
            Event::ModelRequestEnd(end) => Some(end.model_request_start_id),
            _ => None,
        };
        if let Some(other) = started {
            broken.push(format!(
                "{} comes while {other} is not over, or was",
                row.id
            ));
        }
    }
    if let Some(open) = open.filter(|_| !is_given_up(kept)) {
        broken.push(format!("{open} has no end"));
    }
    broken
}

fn reading(kept: &Kept, read: &Seen) -> Vec<String> {
    let shown = kept
        .shown
        .iter()
        .filter_map(|(seq, id)| Some((((*seq)?), id.clone())));
    let shown: Vec<(Seq, String)> = shown.collect();
    if read.events == shown {
        return Vec::new();
    }
    let at = read
        .events
        .iter()
        .zip(&shown)
        .take_while(|(one, other)| one == other)
        .count();
    vec![format!(
        "its reader saw {} events, the list has {}; they differ from {at} on: {:?}, {:?}",
        read.events.len(),
        shown.len(),
        read.events.get(at),
        shown.get(at),
    )]
}

/// Who appended held the newest lease then, and each lease was one server's.
fn leases(witnessed: &[Witnessed]) -> Vec<String> {
    let mut broken = Vec::new();
    let mut holders: BTreeMap<(SessionId, Epoch), u32> = BTreeMap::new();
    for row in witnessed.iter().filter(|row| row.epoch != Epoch::CLIENT) {
        if row.epoch != row.lease_epoch {
            broken.push(format!("a runner without a lease has appended: {row:?}"));
        }
        let holder = holders
            .entry((row.session, row.epoch))
            .or_insert(row.server);
        if *holder != row.server {
            broken.push(format!(
                "another server has appended under a lease: {row:?}"
            ));
        }
    }
    broken
}

/// What the model gave was counted at most once in all, and nothing else was.
fn usage_is_counted_once(outcome: &Outcome) -> Vec<String> {
    let mut broken = Vec::new();
    let mut counted = BTreeSet::new();
    for kept in outcome
        .sessions
        .iter()
        .filter_map(|session| session.kept.as_ref())
    {
        let mut sum = 0;
        for row in &kept.log {
            let tokens = match &row.event {
                Event::ModelResponse(response) => response.usage.output_tokens,
                Event::ModelFailed(failed) => failed.usage.output_tokens,
                Event::ContextCompacted(compacted) => compacted.usage.output_tokens,
                _ => 0,
            };
            sum += tokens;
            if tokens != 0 && !counted.insert(tokens) {
                broken.push(format!("the answer of {tokens} tokens was counted twice"));
            }
            if tokens != 0 && !outcome.given.contains(&tokens) {
                broken.push(format!("nobody gave {tokens} tokens"));
            }
        }
        if sum != kept.summary.tokens.output_tokens {
            let told = kept.summary.tokens.output_tokens;
            broken.push(format!("{told} tokens are told and {sum} were counted"));
        }
    }
    broken
}

/// Nothing ran that no log tells of, unless that log is deleted.
fn commands_have_calls(outcome: &Outcome) -> Vec<String> {
    if outcome
        .sessions
        .iter()
        .any(|session| session.kept.is_none())
    {
        return Vec::new();
    }
    let kept = outcome
        .sessions
        .iter()
        .filter_map(|session| session.kept.as_ref());
    let intents: BTreeSet<String> = kept
        .flat_map(|kept| &kept.log)
        .filter_map(|row| match &row.event {
            Event::ToolStarted(started) => Some(started.tool_use_id.to_string()),
            _ => None,
        })
        .collect();
    let ran = outcome
        .ran
        .iter()
        .filter(|(call, times)| **times > 0 && !intents.contains(*call));
    ran.map(|(call, _)| format!("{call} ran without an intent"))
        .collect()
}
