//! The connections: one writer thread with group commit, and a pool of readers.
//!
//! **Invariant:** `write` answers only after the sync of the commit that holds its changes
//! (`synchronous=full`). Many callers share one commit: jobs that wait while a commit is synced
//! form the next one.
//!
//! SQL text is written once, with `$1` placeholders, and translated for SQLite when it is first
//! prepared. What can't be shared with another engine sits in this file, behind a name.

mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, ToSql};
use tokio::sync::{Semaphore, mpsc};

use crate::StoreError;
use crate::limits::{BUSY_TIMEOUT, PREPARED_STATEMENTS, READERS, WRITE_QUEUE};
use crate::migrate::migrate;
use crate::row::Row;
use writer::{WriteJob, write_job, write_loop};

/// Handle to the connections. Dropping the last one ends the writer thread.
#[derive(Clone)]
pub(crate) struct Db {
    writer: mpsc::Sender<Box<dyn WriteJob>>,
    readers: Arc<Readers>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Db")
    }
}

impl Db {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = connect(path, OpenFlags::default())?;
        migrate(&mut connection)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let readers = (0..READERS)
            .map(|_| connect(path, flags).map(Prepared::new))
            .collect::<Result<Vec<_>, _>>()?;
        let (writer, jobs) = mpsc::channel(WRITE_QUEUE);
        std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || write_loop(Prepared::new(connection), jobs))
            .map_err(|error| StoreError::Corrupt {
                what: format!("no writer thread: {error}"),
            })?;
        let readers = Readers {
            idle: Mutex::new(readers),
            places: Arc::new(Semaphore::new(READERS)),
        };
        Ok(Self {
            writer,
            readers: Arc::new(readers),
        })
    }

    /// Runs `job` in a transaction of its own and answers after it is on disk. An error rolls
    /// back this job and no other.
    pub(crate) async fn write<T, E>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_and_tell(job, |_| {}).await
    }

    /// As [`Db::write`]; `tell` runs after the commit, even if the caller has gone away by then.
    pub(crate) async fn write_and_tell<T, E>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        tell: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answered) = write_job(job, tell);
        self.writer
            .send(job)
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `job` on a connection that sees one consistent state, without waiting for writers.
    pub(crate) async fn read<T, E>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let readers = Arc::clone(&self.readers);
        let place = Arc::clone(&readers.places).acquire_owned().await;
        let place = place.map_err(|_| StoreError::Closed)?;
        let run = tokio::task::spawn_blocking(move || {
            // A caller that gives up doesn't end the job, which keeps its connection till then.
            let _place = place;
            readers.run(job)
        });
        run.await.map_err(|_| StoreError::Closed)?
    }
}

/// Idle read connections. A place is held while one is in use, so `idle` is never empty then.
struct Readers {
    idle: Mutex<Vec<Prepared>>,
    places: Arc<Semaphore>,
}

impl Readers {
    fn run<T, E: From<StoreError>>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let taken = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let prepared = taken.ok_or(StoreError::Closed)?;
        // A panicking job must not cost the pool its connection.
        let result = std::panic::catch_unwind(AssertUnwindSafe(|| -> Result<T, E> {
            let tx = Tx {
                prepared: &prepared,
            };
            tx.batch("begin")?;
            job(&tx)
        }));
        let ended = prepared.connection.execute_batch("commit");
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(prepared);
        match result {
            Ok(result) => {
                let value = result?;
                ended.map_err(StoreError::from)?;
                Ok(value)
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "cache_size", -16_384)?;
    Ok(connection)
}

/// A connection with the SQLite form of each statement's text.
struct Prepared {
    connection: Connection,
    /// By the address of the `'static` text: a look-up costs no hash of the text itself.
    translated: Mutex<HashMap<(usize, usize), Arc<str>>>,
}

impl Prepared {
    fn new(connection: Connection) -> Self {
        Self {
            connection,
            translated: Mutex::new(HashMap::new()),
        }
    }

    fn translate(&self, sql: &'static str) -> Arc<str> {
        let mut translated = self
            .translated
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let text = translated
            .entry((sql.as_ptr() as usize, sql.len()))
            .or_insert_with(|| placeholders(sql).into());
        Arc::clone(text)
    }
}

/// `$1` to `?1`: SQLite would number `$` parameters by first appearance.
pub(crate) fn placeholders(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len());
    let mut characters = sql.chars().peekable();
    while let Some(character) = characters.next() {
        let is_parameter = character == '$' && characters.peek().is_some_and(char::is_ascii_digit);
        text.push(if is_parameter { '?' } else { character });
    }
    text
}

/// A transaction, for the length of one job.
pub(crate) struct Tx<'c> {
    prepared: &'c Prepared,
}

impl Tx<'_> {
    /// Runs a statement that returns no rows; answers how many it touched.
    pub(crate) fn execute(
        &self,
        sql: &'static str,
        parameters: &[&dyn ToSql],
    ) -> Result<usize, StoreError> {
        let text = self.prepared.translate(sql);
        Ok(self
            .prepared
            .connection
            .prepare_cached(&text)?
            .execute(parameters)?)
    }

    /// The first row, if there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn ToSql],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let text = self.prepared.translate(sql);
        let mut statement = self.prepared.connection.prepare_cached(&text)?;
        let mut rows = statement.query(parameters)?;
        rows.next()?.map(|row| read(&Row(row))).transpose()
    }

    /// All rows: the statement must bound them.
    pub(crate) fn all<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn ToSql],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let text = self.prepared.translate(sql);
        let mut statement = self.prepared.connection.prepare_cached(&text)?;
        let mut rows = statement.query(parameters)?;
        let mut read_rows = Vec::new();
        while let Some(row) = rows.next()? {
            read_rows.push(read(&Row(row))?);
        }
        Ok(read_rows)
    }

    /// Reads rows until there are no more or `read` breaks off.
    pub(crate) fn each(
        &self,
        sql: &'static str,
        parameters: &[&dyn ToSql],
        mut read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let text = self.prepared.translate(sql);
        let mut statement = self.prepared.connection.prepare_cached(&text)?;
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            if read(&Row(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn batch(&self, sql: &'static str) -> Result<(), StoreError> {
        Ok(self.prepared.connection.execute_batch(sql)?)
    }
}
