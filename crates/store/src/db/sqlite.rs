//! SQLite: one writer thread with group commit, and a pool of readers.
//!
//! **Invariant:** a write is answered after the sync of the commit that holds it
//! (`synchronous=full`), unless it says that it need not be. Many callers share one commit: jobs
//! that wait while a commit is synced form the next one.

mod copy;
mod writer;

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_protocol::Timestamp;
use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use tokio::sync::{Semaphore, mpsc};

use super::Tx;
use crate::limits::{BUSY_TIMEOUT, PREPARED_STATEMENTS, READERS, WRITE_QUEUE};
use crate::parameter::{Parameter, Value};
use crate::row::Row;
use crate::{Migrations, StoreError, migrate};
pub(crate) use copy::DatabaseFile;
use writer::write_loop;
pub(super) use writer::{Syncing, WriteJob, write_job};

/// Handle to the connections. Dropping the last one ends the writer thread.
#[derive(Clone)]
pub(crate) struct Sqlite {
    writer: mpsc::Sender<Box<dyn WriteJob>>,
    readers: Arc<Readers>,
    file: DatabaseFile,
}

impl Sqlite {
    pub(crate) fn open(path: &Path, migrations: Migrations) -> Result<Self, StoreError> {
        let mut connection = connect(path, OpenFlags::default())?;
        migrate::sqlite(&mut connection, migrations)?;
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
            file: DatabaseFile(Arc::new(path.to_owned())),
        })
    }

    pub(crate) fn file(&self) -> DatabaseFile {
        self.file.clone()
    }

    pub(crate) async fn write<T, E>(
        &self,
        sync: Syncing,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        tell: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answered) = write_job(sync, job, tell);
        self.writer
            .send(job)
            .await
            .map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

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
            prepared.run("begin")?;
            job(&Tx::Sqlite(&prepared))
        }));
        let ended = prepared.run("commit");
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(prepared);
        match result {
            Ok(result) => {
                let value = result?;
                ended?;
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
pub(crate) struct Prepared {
    connection: Connection,
    /// By the address of the `'static` text: a look-up costs no hash of the text itself.
    translated: Mutex<HashMap<(usize, usize), Arc<str>>>,
    /// What the database takes for the time, where it has a clock: in a simulation.
    clock: Cell<Option<Timestamp>>,
    /// A statement and what it does instead, in a simulation.
    falsified: Cell<Option<(&'static str, &'static str)>>,
}

impl Prepared {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connection,
            clock: Cell::new(None),
            falsified: Cell::new(None),
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
            .or_insert_with(|| match self.falsified.get() {
                Some((meant, meaning)) if meant == sql => meaning.into(),
                Some(_) | None => placeholders(sql).into(),
            });
        Arc::clone(text)
    }

    /// The time of the database, or else `callers`.
    pub(super) fn now(&self, callers: Timestamp) -> Timestamp {
        self.clock.get().unwrap_or(callers)
    }

    pub(super) fn set_clock(&self, now: Option<Timestamp>) {
        self.clock.set(now);
    }

    /// From now on `sql` means something else: for simulations of what must never be.
    pub(super) fn falsify(&self, sql: &'static str, meaning: &'static str) {
        self.falsified.set(Some((sql, meaning)));
        let translated = self.translated.lock();
        translated.unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(crate) fn execute(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<usize, StoreError> {
        let text = self.translate(sql);
        let mut statement = self.connection.prepare_cached(&text)?;
        Ok(statement.execute(values(parameters))?)
    }

    pub(crate) fn one<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let text = self.translate(sql);
        let mut statement = self.connection.prepare_cached(&text)?;
        let mut rows = statement.query(values(parameters))?;
        rows.next()?.map(|row| read(&Row::sqlite(row))).transpose()
    }

    pub(crate) fn all<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = Vec::new();
        self.each(sql, parameters, |row| {
            rows.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(rows)
    }

    pub(crate) fn each(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        mut read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let text = self.translate(sql);
        let mut statement = self.connection.prepare_cached(&text)?;
        let mut rows = statement.query(values(parameters))?;
        while let Some(row) = rows.next()? {
            if read(&Row::sqlite(row))?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// One statement without parameters and rows, as those around a transaction are.
    pub(crate) fn run(&self, sql: &'static str) -> Result<(), StoreError> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}

fn values<'p>(parameters: &'p [&'p dyn Parameter]) -> impl rusqlite::Params + 'p {
    params_from_iter(parameters.iter().map(|parameter| parameter.value()))
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        use rusqlite::types::ValueRef;
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
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
