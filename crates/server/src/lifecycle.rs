//! The life of the process: signals, the soft and the hard stop, and every long-lived task by name.
//!
//! A stop is asked for by a signal, by the soft token, or by a task whose end means the end of all. It is
//! soft first: the soft token is cancelled and tasks end at their next good place. A second signal, or
//! the end of the grace time, makes it hard: the hard token is cancelled, and who then still does not end
//! is dropped. That loses nothing, since the log knows how to go on.
//!
//! Besides the engine's supervisor and the listener's connections, this is the only place where tasks
//! are spawned.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use futures::{Stream, StreamExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::limits::HARD_STOP_WAIT;

/// What the end of a task means for the process. A panic always means its end, because it is a bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEnd {
    /// The process cannot do its work without this task: shut down, and exit with an error.
    Shutdown,
    /// The task has an end of its own. An error is logged.
    Ignore,
}

struct Task {
    name: &'static str,
    on_end: OnEnd,
}

/// Owner of all long-lived tasks.
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    grace: Duration,
    tasks: JoinSet<anyhow::Result<()>>,
    running: HashMap<Id, Task>,
    failures: Vec<String>,
}

/// How the process ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// Tasks that ended in a way they should not have, one sentence each.
    pub failures: Vec<String>,
    /// Tasks that had to be dropped.
    pub unfinished: Vec<&'static str>,
}

impl Ending {
    /// Dropping tasks is no failure: somebody was in a hurry.
    pub fn exit_code(&self) -> ExitCode {
        if self.failures.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// SIGTERM and SIGINT as they come. Signals that arrive before this is first polled are not lost.
pub fn signals() -> io::Result<impl Stream<Item = &'static str> + Unpin> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(futures::stream::poll_fn(move |context| {
        if terminate.poll_recv(context).is_ready() {
            return std::task::Poll::Ready(Some("SIGTERM"));
        }
        interrupt.poll_recv(context).map(|_| Some("SIGINT"))
    }))
}

impl Lifecycle {
    pub fn new(grace: Duration) -> Self {
        Self {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            grace,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            failures: Vec::new(),
        }
    }

    /// Cancelled when the process should end. Cancelling it asks for that.
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when the process ends now.
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Runs `task` until it ends or the process does.
    pub fn spawn<F>(&mut self, name: &'static str, on_end: OnEnd, task: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let handle = self.tasks.spawn(task);
        self.running.insert(handle.id(), Task { name, on_end });
    }

    /// Waits for the reason to stop, stops, and says how that went.
    pub async fn run(mut self, signals: impl Stream<Item = &'static str> + Unpin) -> Ending {
        // A stream of signals that ends must not look like a signal.
        let mut signals = signals.chain(futures::stream::pending());
        self.wait_for_reason(&mut signals).await;
        self.soft.cancel();
        self.drain(&mut signals).await;
        if !self.tasks.is_empty() {
            self.hurry().await;
        }
        let unfinished: Vec<&'static str> = self.running.values().map(|task| task.name).collect();
        if !unfinished.is_empty() {
            tracing::warn!(tasks = ?unfinished, "dropping tasks that did not end");
        }
        self.tasks.abort_all();
        Ending {
            failures: self.failures,
            unfinished,
        }
    }

    async fn wait_for_reason(&mut self, signals: &mut (impl Stream<Item = &'static str> + Unpin)) {
        loop {
            tokio::select! {
                // In this order, so that a task that ends because of the soft token is no failure.
                biased;
                signal = signals.next() => {
                    let signal = signal.unwrap_or("a signal");
                    tracing::info!(signal, grace = ?self.grace, "stopping; a second signal hurries");
                    return;
                }
                () = self.soft.cancelled() => {
                    tracing::info!("stopping, since a task asked for it");
                    return;
                }
                Some(end) = self.tasks.join_next_with_id() => {
                    let task = self.forget(&end);
                    if let Some(failure) = failure_before_stop(&task, end) {
                        tracing::error!(task = task.name, "stopping: {failure}");
                        self.failures.push(failure);
                        return;
                    }
                }
            }
        }
    }

    /// The soft stop: returns when all tasks have ended, or when waiting is over.
    async fn drain(&mut self, signals: &mut (impl Stream<Item = &'static str> + Unpin)) {
        let deadline = Instant::now() + self.grace;
        while !self.tasks.is_empty() {
            tokio::select! {
                _ = signals.next() => {
                    tracing::warn!("second signal: stopping now");
                    return;
                }
                () = tokio::time::sleep_until(deadline) => {
                    tracing::warn!(grace = ?self.grace, "the time to end is over: stopping now");
                    return;
                }
                Some(end) = self.tasks.join_next_with_id() => self.note_end_in_stop(end),
            }
        }
    }

    /// The hard stop.
    async fn hurry(&mut self) {
        self.hard.cancel();
        let deadline = Instant::now() + HARD_STOP_WAIT;
        while let Ok(Some(end)) =
            tokio::time::timeout_at(deadline, self.tasks.join_next_with_id()).await
        {
            self.note_end_in_stop(end);
        }
    }

    fn note_end_in_stop(&mut self, end: Result<(Id, anyhow::Result<()>), JoinError>) {
        let task = self.forget(&end);
        match end {
            Ok((_, Ok(()))) => {}
            Ok((_, Err(error))) => {
                tracing::warn!(
                    task = task.name,
                    "ended in an error while stopping: {error:#}"
                );
            }
            Err(panic) => {
                let failure = format!("the task `{}` {}", task.name, how(&panic));
                tracing::error!(task = task.name, "while stopping: {failure}");
                self.failures.push(failure);
            }
        }
    }

    fn forget(&mut self, end: &Result<(Id, anyhow::Result<()>), JoinError>) -> Task {
        let id = match end {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        self.running.remove(&id).unwrap_or(Task {
            name: "unknown",
            on_end: OnEnd::Shutdown,
        })
    }
}

/// Why the end of this task ends the process, if it does.
fn failure_before_stop(
    task: &Task,
    end: Result<(Id, anyhow::Result<()>), JoinError>,
) -> Option<String> {
    let name = task.name;
    match (task.on_end, end) {
        (_, Err(panic)) => Some(format!("the task `{name}` {}", how(&panic))),
        (OnEnd::Shutdown, Ok((_, Ok(())))) => Some(format!("the task `{name}` ended by itself")),
        (OnEnd::Shutdown, Ok((_, Err(error)))) => Some(format!("the task `{name}`: {error:#}")),
        (OnEnd::Ignore, Ok((_, Ok(())))) => None,
        (OnEnd::Ignore, Ok((_, Err(error)))) => {
            tracing::error!(task = name, "ended in an error: {error:#}");
            None
        }
    }
}

fn how(error: &JoinError) -> &'static str {
    if error.is_panic() {
        "panicked"
    } else {
        "was cancelled"
    }
}

/// Runs `work` to its end in the one runtime of the process, made here so that no other place has to
/// know how.
///
/// What is left on threads that block, such as the deletion of a large tree, gets a moment more and is
/// then left behind: nobody listens to signals any more, so waiting for it could only be ended by force.
pub fn run<F: Future>(work: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("hostler")
        .build()
        .context("the async runtime could not be started")?;
    let output = runtime.block_on(work);
    runtime.shutdown_timeout(HARD_STOP_WAIT);
    Ok(output)
}
