//! PostgreSQL: two pools of connections, one that writes and one that reads. A job runs on a
//! thread that may block and has a connection to itself.
//!
//! **Invariant:** a write is answered after its own commit, which the server has synced by then
//! (`connect.rs` sees to that); the server groups the syncs of commits that come together. What
//! a write may rely on is locked before it begins (`scope.rs`). No job runs twice: a job that
//! has begun and whose connection breaks is answered with an error, never repeated.

mod address;
mod connect;
mod notice;
mod pool;
mod session;
mod wake;
mod wire;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use hostler_protocol::id::SessionId;

use super::{Scope, Tx};
use crate::StoreError;
use crate::hub::Hub;
use crate::limits::POSTGRES_PAUSE_IN_CHANGE;
use crate::parameter::{Parameter, Value};
use crate::row::Row;
pub use address::{AddressError, PostgresAddress};
pub(crate) use connect::{Connector, check};
use pool::Pool;
pub(crate) use session::Session;
pub(crate) use wake::Announcer;

/// Handle to the connections. Dropping the last one closes them.
#[derive(Clone)]
pub(crate) struct Postgres {
    connector: Arc<Connector>,
    writers: Arc<Pool>,
    readers: Arc<Pool>,
}

impl Postgres {
    /// Connects lazily: whether the database is any good is the question of [`check`].
    pub(crate) fn new(connector: Arc<Connector>, writers: usize, readers: usize) -> Self {
        let pool = |places| Arc::new(Pool::new(Arc::clone(&connector), places));
        Self {
            writers: pool(writers),
            readers: pool(readers),
            connector,
        }
    }

    pub(crate) fn announcer(&self, hub: &Arc<Hub>) -> Result<Announcer, StoreError> {
        wake::start(&self.connector, hub)
    }

    pub(crate) async fn write<T, E>(
        &self,
        scope: Scope,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        tell: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let place = self.writers.place().await?;
        let run = tokio::task::spawn_blocking(move || {
            let mut session = place.session(&begin_write(scope))?;
            let result = run(&mut session, job);
            let ended = match &result {
                Ok(_) => session.commit(),
                Err(_) => session.batch("rollback"),
            };
            let is_ended = ended.is_ok();
            // What couldn't be rolled back is rolled back when the connection is closed.
            let result = result.and_then(|value| ended.map(|()| value).map_err(E::from));
            if let Ok(value) = &result {
                tell(value);
            }
            if is_ended {
                place.give_back(session);
            }
            result
        });
        run.await.map_err(|_| StoreError::Closed)?
    }

    pub(crate) async fn read<T, E>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let place = self.readers.place().await?;
        let run = tokio::task::spawn_blocking(move || {
            let mut session = place.session(BEGIN_READ)?;
            let result = run(&mut session, job);
            if session.batch("rollback").is_ok() {
                place.give_back(session);
            }
            result
        });
        run.await.map_err(|_| StoreError::Closed)?
    }
}

const BEGIN_READ: &str = "begin isolation level repeatable read, read only";

/// Locks are in two spaces: that of pairs has the one lock of everything, that of single numbers
/// one for each session, so that the two can't be taken for each other.
fn begin_write(scope: Scope) -> String {
    let begin = "begin isolation level read committed, read write";
    let alone = "select pg_advisory_xact_lock(1215265644, 0)";
    let shared = "select pg_advisory_xact_lock_shared(1215265644, 0)";
    // Others wait for these to take a session over: shorter than a lease.
    let begin_short = format!(
        "{begin}; set local idle_in_transaction_session_timeout = {}",
        POSTGRES_PAUSE_IN_CHANGE.as_millis()
    );
    match scope {
        Scope::FreshDatabase => format!("{begin}; {alone}"),
        Scope::Everything => format!("{begin_short}; {alone}"),
        Scope::NewSession | Scope::OwnLeases => format!("{begin_short}; {shared}"),
        Scope::Session(session) => {
            let key = lock_key(session);
            format!("{begin_short}; {shared}; select pg_advisory_xact_lock({key})")
        }
    }
}

/// Two sessions with one key only wait for each other now and then.
fn lock_key(session: SessionId) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in session.to_string().bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash.cast_signed()
}

/// A panic is a bug of one job: its caller sees the store closed.
fn run<T, E: From<StoreError>>(
    session: &mut Session,
    job: impl FnOnce(&Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let tx = Tx::Postgres(PostgresTx {
        session: RefCell::new(session),
    });
    match std::panic::catch_unwind(AssertUnwindSafe(|| job(&tx))) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error),
        Err(_) => {
            tracing::error!("a job panicked and was rolled back");
            Err(StoreError::Closed.into())
        }
    }
}

/// A transaction on a connection.
pub(crate) struct PostgresTx<'c> {
    session: RefCell<&'c mut Session>,
}

impl PostgresTx<'_> {
    pub(crate) fn execute(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<usize, StoreError> {
        let touched = self.session.borrow_mut().execute(sql, values(parameters))?;
        Ok(usize::try_from(touched).unwrap_or(usize::MAX))
    }

    pub(crate) fn one<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let rows = self.session.borrow_mut().query(sql, values(parameters))?;
        rows.first()
            .map(|row| read(&Row::postgres(row)))
            .transpose()
    }

    pub(crate) fn all<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.session.borrow_mut().query(sql, values(parameters))?;
        rows.iter().map(|row| read(&Row::postgres(row))).collect()
    }

    /// Rows stay with the server until they are wanted, so the connection is busy meanwhile.
    pub(crate) fn each(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        mut read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        let mut session = self.session.borrow_mut();
        let mut rows = session.stream(sql, values(parameters))?;
        while let Some(row) = session.next_row(&mut rows)? {
            if read(&Row::postgres(&row))?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

fn values<'p>(parameters: &'p [&'p dyn Parameter]) -> Vec<Value<'p>> {
    parameters
        .iter()
        .map(|parameter| parameter.value())
        .collect()
}
