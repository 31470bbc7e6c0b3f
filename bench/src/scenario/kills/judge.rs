//! Holds what the clients wrote down against what the server has.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::api::Api;
use crate::model::{SHOWN, Task};
use crate::outcome::Outcome;

use super::book::Book;

/// More than these say nothing new.
const FAILURES_SHOWN: usize = 20;

/// What was found in all sessions together.
#[derive(Debug, Default)]
struct Found {
    events: usize,
    unsure_there: usize,
    calls: usize,
    runs: usize,
    /// Results that say that the call was interrupted and may have run: of those that ran, and of those that
    /// did not.
    interrupted_ran: usize,
    interrupted_not_ran: usize,
    model_requests: usize,
    failures: Vec<String>,
}

pub(super) async fn judge(
    mut api: Api,
    books: &[Book],
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let mut found = Found::default();
    for book in books {
        let events = api.events(&book.session).await?;
        let said = found.failures.len();
        found.compare(book, &events);
        for failure in &mut found.failures[said..] {
            *failure = format!("{}: {failure}", book.session);
        }
        found.failures.extend(book.failures.iter().cloned());
    }
    outcome.figure("events in the lists", found.events as f64, "");
    outcome.figure(
        "unanswered messages that are there",
        found.unsure_there as f64,
        "",
    );
    outcome.figure("model requests", found.model_requests as f64, "");
    outcome.figure("tool calls", found.calls as f64, "");
    outcome.figure("runs on record, each once", found.runs as f64, "");
    outcome.figure(
        "calls told as interrupted: had run",
        found.interrupted_ran as f64,
        "",
    );
    outcome.figure(
        "calls told as interrupted: had not run",
        found.interrupted_not_ran as f64,
        "",
    );
    let all = found.failures.len();
    outcome
        .failures
        .extend(found.failures.into_iter().take(FAILURES_SHOWN));
    outcome.fail_unless(all <= FAILURES_SHOWN, || {
        format!("and {} failures more", all - FAILURES_SHOWN)
    });
    Ok(())
}

impl Found {
    fn fail_unless(&mut self, holds: bool, says: impl FnOnce() -> String) {
        if !holds {
            self.failures.push(says());
        }
    }

    fn compare(&mut self, book: &Book, events: &[Value]) {
        self.events += events.len();
        self.acknowledged(book, events);
        self.unsure(book, events);
        self.stream(book, events);
        self.requests(events);
        self.calls(book, events);
    }

    /// Every acknowledged event is there once and was processed.
    fn acknowledged(&mut self, book: &Book, events: &[Value]) {
        let mut by_id = HashMap::new();
        for event in events {
            let earlier = by_id.insert(text(event, "id"), event);
            self.fail_unless(earlier.is_none(), || format!("twice: {event}"));
        }
        for (id, word) in &book.acknowledged {
            let Some(event) = by_id.get(id.as_str()) else {
                self.failures.push(format!("acknowledged and lost: {id}"));
                continue;
            };
            self.fail_unless(!event["processed_at"].is_null(), || {
                format!("never processed: {event}")
            });
            if let Some(word) = word {
                let there = count(events, word);
                self.fail_unless(there == 1, || format!("{word} is there {there} times"));
            }
        }
    }

    /// What was never answered is there once or not at all.
    fn unsure(&mut self, book: &Book, events: &[Value]) {
        for word in &book.unsure {
            let there = count(events, word);
            self.unsure_there += there;
            self.fail_unless(there <= 1, || format!("{word} is there {there} times"));
        }
    }

    /// What the reader put together over all restarts is the list.
    fn stream(&mut self, book: &Book, events: &[Value]) {
        let grows = book
            .frames
            .is_sorted_by(|one, next| one.position < next.position);
        self.fail_unless(grows, || {
            "the positions of the stream do not grow".to_owned()
        });
        let streamed: Vec<&str> = book.frames.iter().map(|seen| seen.event.as_str()).collect();
        let listed: Vec<&str> = events.iter().map(|event| text(event, "id")).collect();
        self.fail_unless(streamed == listed, || {
            let first = streamed
                .iter()
                .zip(&listed)
                .position(|(one, other)| one != other);
            format!(
                "the stream has {} events, the list {}; the first that differs is number {first:?}",
                streamed.len(),
                listed.len()
            )
        });
        let last = events.last().map(|event| text(event, "type"));
        let at_rest = [
            Some("session.status_idle"),
            Some("session.status_terminated"),
        ];
        self.fail_unless(at_rest.contains(&last), || {
            format!("its last event is {last:?}")
        });
    }

    fn requests(&mut self, events: &[Value]) {
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        let (begun, ended) = (of("span.model_request_start"), of("span.model_request_end"));
        self.model_requests += begun;
        self.fail_unless(begun == ended, || {
            format!("{begun} model requests began and {ended} ended")
        });
    }

    /// Each call has one result, and the record of the sandbox agrees with what the results say.
    fn calls(&mut self, book: &Book, events: &[Value]) {
        let mut results: HashMap<&str, Vec<&Value>> = HashMap::new();
        for event in of_type(events, "agent.tool_result") {
            results
                .entry(text(event, "tool_use_id"))
                .or_default()
                .push(event);
        }
        let Some(record) = record(events) else {
            self.failures
                .push("the record of what ran was not shown".to_owned());
            return;
        };
        let mut called = HashSet::new();
        for call in of_type(events, "agent.tool_use") {
            self.calls += 1;
            let given = results.remove(text(call, "id")).unwrap_or_default();
            let [result] = given.as_slice() else {
                self.failures
                    .push(format!("{} results of {call}", given.len()));
                continue;
            };
            let command = text(&call["input"], "command");
            let run = book
                .runs
                .iter()
                .find(|run| Task::Run((*run).clone()).command() == command);
            if let Some(run) = run {
                self.fail_unless(called.insert(run.as_str()), || {
                    format!("{run} was called twice")
                });
                self.run(run, &record, result);
            }
        }
        self.fail_unless(results.is_empty(), || {
            format!("results without a call: {results:?}")
        });
        for line in &record {
            self.fail_unless(called.contains(line), || {
                format!("{line} ran and no call says so")
            });
        }
    }

    fn run(&mut self, run: &str, record: &[&str], result: &Value) {
        let runs = record.iter().filter(|line| **line == run).count();
        self.runs += runs;
        self.fail_unless(runs <= 1, || format!("{run} ran {runs} times"));
        if result["is_error"] != true {
            self.fail_unless(runs == 1, || {
                format!("{run} did not run, and its result does not say so: {result}")
            });
        } else if runs == 1 {
            self.interrupted_ran += 1;
        } else {
            self.interrupted_not_ran += 1;
        }
    }
}

fn of_type<'e>(events: &'e [Value], kind: &'static str) -> impl Iterator<Item = &'e Value> {
    events.iter().filter(move |event| event["type"] == kind)
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// How many messages of the user hold this word.
fn count(events: &[Value], word: &str) -> usize {
    of_type(events, "user.message")
        .filter(|event| {
            let blocks = event["content"].as_array().into_iter().flatten();
            let mut words = blocks.flat_map(|block| text(block, "text").split_whitespace());
            words.any(|other| other == word)
        })
        .count()
}

/// What the last turn's command showed: the names of all that ran. `None`: it was not shown.
fn record(events: &[Value]) -> Option<Vec<&str>> {
    let shown = of_type(events, "agent.tool_result").filter_map(|result| {
        let blocks = result["content"].as_array()?;
        text(blocks.first()?, "text").strip_prefix(SHOWN)
    });
    Some(shown.last()?.split_whitespace().collect())
}

#[cfg(test)]
mod tests;
