//! What the model reads about a command that ran: its output, then how it ended.

use std::time::Duration;

use super::collector::Collector;
use crate::output::Output;

pub(super) const RESTARTED: &str = "Shell restarted. Everything that ran was ended; working \
                                    directory, variables and functions start anew.";

const STATE_LOST: &str = "its working directory, variables and functions are lost; the next call \
                          starts a new shell";

/// What programs say when there is no network to reach.
const NETWORK_FAILURES: &[&str] = &[
    "Could not resolve",
    "Couldn't resolve",
    "could not resolve",
    "Name or service not known",
    "Temporary failure in name resolution",
    "Temporary failure resolving",
    "No address associated with hostname",
    "unable to resolve",
    "failed to lookup address",
    "dial tcp",
    "Network is unreachable",
    "Network unreachable",
    "network is unreachable",
    "No route to host",
    "ENETUNREACH",
    "EAI_AGAIN",
    "ENOTFOUND",
    "getaddrinfo",
];

/// How a command came to its end.
pub(super) enum Outcome {
    Status(i32),
    /// By `exit`, `exec` or a failure under `set -e`.
    ShellExited {
        status: i32,
    },
    ShellKilled {
        signal: i32,
    },
    TimedOut {
        timeout: Duration,
        shell: Fate,
    },
    /// Nobody reads this one.
    Cancelled,
    /// It reported what our loop does not report.
    ShellUnusable,
}

/// What became of the shell when its command was ended.
pub(super) enum Fate {
    Kept,
    Killed,
}

pub(super) fn compose(collector: Collector<'_>, outcome: &Outcome, no_network: bool) -> Output {
    let (ending, is_error) = ending(outcome);
    let looks_like_network = |text: &str| {
        NETWORK_FAILURES
            .iter()
            .any(|failure| text.contains(failure))
    };
    let note = is_error && no_network && collector.shows(looks_like_network);
    let mut text = collector.finish();
    let notes = ending
        .into_iter()
        .chain(note.then(|| NO_NETWORK.to_owned()));
    for line in notes {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&line);
    }
    if is_error {
        Output::error(text)
    } else {
        Output::text(text)
    }
}

const NO_NETWORK: &str = "note: this sandbox has no network access";

fn ending(outcome: &Outcome) -> (Option<String>, bool) {
    match outcome {
        Outcome::Status(0) => (None, false),
        Outcome::Status(status) => (Some(format!("exit code {status}")), true),
        Outcome::ShellExited { status } => (
            Some(format!(
                "The shell itself exited with status {status}: {STATE_LOST}."
            )),
            *status != 0,
        ),
        Outcome::ShellKilled { signal } => (
            Some(format!(
                "The shell itself was ended by signal {signal}: {STATE_LOST}."
            )),
            true,
        ),
        Outcome::TimedOut { timeout, shell } => {
            let seconds = timeout.as_secs_f64();
            let fate = match shell {
                Fate::Kept => "the shell and its state are kept".to_owned(),
                Fate::Killed => format!("the shell had to be killed as well: {STATE_LOST}"),
            };
            let text = format!(
                "The command did not finish within {seconds} s. It and everything that it had \
                 started were killed; {fate}."
            );
            (Some(text), true)
        }
        Outcome::Cancelled => (Some("The call was cancelled.".to_owned()), true),
        Outcome::ShellUnusable => {
            let text =
                format!("The shell lost track of its commands and was killed: {STATE_LOST}.");
            (Some(text), true)
        }
    }
}
