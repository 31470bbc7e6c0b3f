//! The writer thread: jobs that wait while a commit is synced share the next one.

use std::panic::AssertUnwindSafe;

use tokio::sync::{mpsc, oneshot};

use super::{Prepared, Tx};
use crate::StoreError;
use crate::limits::COMMIT_JOBS_MAX;

/// When what a job has written is on disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Syncing {
    BeforeAnswer,
    /// With the next commit that is synced: the log of SQLite is synced from its beginning.
    Later,
}

/// A job that waits for the writer: run inside a savepoint, answered after the commit.
pub(in crate::db) trait WriteJob: Send {
    fn sync(&self) -> Syncing;
    /// Answers whether the job's changes are to be kept.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    fn finish(self: Box<Self>, commit: Result<(), StoreError>);
    /// Answers a job whose outcome nobody may know.
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Job<T, E, F, G> {
    sync: Syncing,
    job: Option<F>,
    tell: G,
    outcome: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

/// The job in a box, and where its answer will be.
pub(in crate::db) fn write_job<T, E>(
    sync: Syncing,
    job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    tell: impl FnOnce(&T) + Send + 'static,
) -> (Box<dyn WriteJob>, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    let job = Job {
        sync,
        job: Some(job),
        tell,
        outcome: None,
        answer,
    };
    (Box::new(job), answered)
}

impl<T, E, F, G> WriteJob for Job<T, E, F, G>
where
    T: Send,
    E: From<StoreError> + Send,
    F: FnOnce(&Tx<'_>) -> Result<T, E> + Send,
    G: FnOnce(&T) + Send,
{
    fn sync(&self) -> Syncing {
        self.sync
    }

    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let Some(job) = self.job.take() else {
            return false;
        };
        // A panic is a bug of one job: it is rolled back and its caller sees the store closed.
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| job(tx)));
        let Ok(outcome) = outcome else {
            tracing::error!("a write job panicked and was rolled back");
            return false;
        };
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn finish(self: Box<Self>, commit: Result<(), StoreError>) {
        let this = *self;
        let Some(outcome) = this.outcome else {
            return;
        };
        let outcome = match commit {
            Ok(()) => outcome,
            Err(error) => outcome.and(Err(E::from(error))),
        };
        if let Ok(value) = &outcome {
            (this.tell)(value);
        }
        // A caller that went away has no use for the answer.
        let _ = this.answer.send(outcome);
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        let _ = self.answer.send(Err(error.into()));
    }
}

pub(super) fn write_loop(prepared: Prepared, mut jobs: mpsc::Receiver<Box<dyn WriteJob>>) {
    let mut writer = Writer {
        prepared,
        // As the connection was opened.
        sync: Syncing::BeforeAnswer,
        left: None,
    };
    while let Some(first) = writer.left.take().or_else(|| jobs.blocking_recv()) {
        let mut batch = vec![first];
        let committed = writer.run_batch(&mut batch, &mut jobs);
        let failed = committed.as_ref().err().map(ToString::to_string);
        if let Some(reason) = &failed {
            tracing::error!(%reason, jobs = batch.len(), "a commit failed");
            // Nothing of the batch may stay open; if this fails too, the next begin says so.
            let _ = writer.prepared.connection.execute_batch("rollback");
        }
        for job in batch {
            job.finish(match &failed {
                None => Ok(()),
                Some(reason) => Err(commit_failure(committed.as_ref().err(), reason)),
            });
        }
    }
}

/// The same failure for every job of the batch, since database errors can't be cloned.
fn commit_failure(error: Option<&StoreError>, reason: &str) -> StoreError {
    match error {
        Some(StoreError::Busy) => StoreError::Busy,
        Some(StoreError::Full(_)) => StoreError::Full(format!("commit: {reason}").into()),
        _ => StoreError::Blob(format!("commit: {reason}").into()),
    }
}

struct Writer {
    prepared: Prepared,
    /// Of the commits until it is changed.
    sync: Syncing,
    /// A job that did not fit into the last batch.
    left: Option<Box<dyn WriteJob>>,
}

impl Writer {
    /// Runs the jobs of the batch and all that wait or come meanwhile, and commits them.
    fn run_batch(
        &mut self,
        batch: &mut Vec<Box<dyn WriteJob>>,
        jobs: &mut mpsc::Receiver<Box<dyn WriteJob>>,
    ) -> Result<(), StoreError> {
        while batch.len() < COMMIT_JOBS_MAX
            && let Ok(next) = jobs.try_recv()
        {
            batch.push(next);
        }
        let must_sync = batch.iter().any(|job| job.sync() == Syncing::BeforeAnswer);
        self.begin(match must_sync {
            true => Syncing::BeforeAnswer,
            false => Syncing::Later,
        })?;
        let tx = Tx::Sqlite(&self.prepared);
        let mut position = 0;
        while position < batch.len() {
            self.prepared.run("savepoint job")?;
            if !batch[position].run(&tx) {
                self.prepared.run("rollback to job")?;
            }
            self.prepared.run("release job")?;
            position += 1;
            if batch.len() < COMMIT_JOBS_MAX
                && self.left.is_none()
                && let Ok(next) = jobs.try_recv()
            {
                // This commit is not synced: a job that waits for that begins the next one.
                match self.sync == Syncing::Later && next.sync() == Syncing::BeforeAnswer {
                    true => self.left = Some(next),
                    false => batch.push(next),
                }
            }
        }
        self.prepared.run("commit")
    }

    fn begin(&mut self, sync: Syncing) -> Result<(), StoreError> {
        if sync != self.sync {
            // Never prepared: SQLite does this where it reads the text, not where it runs it.
            self.prepared.connection.execute_batch(match sync {
                Syncing::BeforeAnswer => "pragma synchronous = full",
                Syncing::Later => "pragma synchronous = normal",
            })?;
            self.sync = sync;
        }
        self.prepared.run("begin immediate")
    }
}
