//! Does this log mean this? Every test goes in by the log (`log.rs`: a text form) and comes out at
//! the step that follows, the events that clients see, or the conversation that a model is shown.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the unexpected should stop"
)]

mod compaction;
mod consent;
mod conversation;
mod failure;
mod input;
mod interrupt;
mod log;
mod queue;
mod restart;
mod shape;
mod show;
mod snapshot;
mod summary;
mod tools;
mod turn;
mod walk;
mod world;

use crate::log::Log;

/// Holds the step that follows a log against its text.
fn check(log: &str, expected: &str) {
    let step = Log::read(log).next();
    assert_eq!(lines(&step), lines(expected), "after the log:\n{log}");
}

/// Lets the world do `script` and holds what clients see against `expected`.
fn check_public(script: &[&str], expected: &str) {
    let log = Log::play(script);
    assert_eq!(lines(&log.public()), lines(expected), "after {script:?}");
}

fn lines(text: &str) -> Vec<&str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect()
}
