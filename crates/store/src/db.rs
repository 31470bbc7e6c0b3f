//! The database behind the store: one of two engines, and the transaction that a job sees.
//!
//! **Invariant:** `write` answers only after the changes of its job are synced: see the engines,
//! `sqlite.rs` and `postgres.rs`. Jobs are plain closures over [`Tx`] that know neither engine. SQL
//! text is written once, with `$1` placeholders. What the engines can't share is behind a name
//! here, never a question at a call site.

mod postgres;
mod scope;
mod simulated;
mod sqlite;
mod tx;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

pub use postgres::{AddressError, PostgresAddress};
pub(crate) use postgres::{Announcer, Connector, Session, check};
pub(crate) use scope::Scope;
pub use simulated::{
    Access, Fate, SimulatedDatabase, SimulatedLink, SimulatedSharing, SimulatedWriter, Weather,
    Witnessed,
};
pub(crate) use tx::Tx;

use crate::hub::Hub;
use crate::{Migrations, PostgresOptions, StoreError, migrate};
use postgres::Postgres;
use simulated::Simulated;
use sqlite::{DatabaseFile, Sqlite, Syncing};

/// Handle to the connections. Cheap to clone; dropping the last one closes them.
#[derive(Clone)]
pub(crate) struct Db {
    engine: Engine,
}

#[derive(Clone)]
enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
    Simulated(Simulated),
}

impl std::fmt::Debug for Db {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Db")
    }
}

impl Db {
    pub(crate) fn open_file(path: &Path, migrations: Migrations) -> Result<Self, StoreError> {
        Ok(Self {
            engine: Engine::Sqlite(Sqlite::open(path, migrations)?),
        })
    }

    /// Answers after the database was found to be one to work with, at the newest version.
    pub(crate) fn connect(
        options: PostgresOptions,
        migrations: Migrations,
    ) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(options.address)?);
        postgres::check(&connector)?;
        migrate::postgres(&mut connector.connect()?, migrations)?;
        let postgres = Postgres::new(connector, options.writers, options.readers);
        Ok(Self {
            engine: Engine::Postgres(postgres),
        })
    }

    /// A server's link to a simulated database, and what carries its writes out.
    pub(crate) fn simulated(
        database: &SimulatedDatabase,
        link: SimulatedLink,
        hub: &Arc<Hub>,
    ) -> (Self, SimulatedWriter) {
        let (simulated, writer) = database.link(link, hub);
        let engine = Engine::Simulated(simulated);
        (Self { engine }, writer)
    }

    /// Whether other processes change the same database meanwhile, as a matter of course.
    pub(crate) fn is_shared(&self) -> bool {
        match &self.engine {
            Engine::Sqlite(_) => false,
            Engine::Postgres(_) => true,
            Engine::Simulated(simulated) => simulated.is_shared(),
        }
    }

    /// The file of the database, where it is one.
    pub(crate) fn file(&self) -> Option<DatabaseFile> {
        match &self.engine {
            Engine::Sqlite(sqlite) => Some(sqlite.file()),
            Engine::Postgres(_) | Engine::Simulated(_) => None,
        }
    }

    /// Tells other processes of what is committed, and has `hub` told of what they commit.
    pub(crate) fn wake_others(&self, hub: &Arc<Hub>) -> Result<(), StoreError> {
        match &self.engine {
            // What another process writes to the file is found by looking.
            Engine::Sqlite(_) => Ok(()),
            Engine::Postgres(postgres) => {
                hub.announce_by(postgres.announcer(hub)?);
                Ok(())
            }
            Engine::Simulated(simulated) => {
                hub.announce_by(simulated.announcer());
                Ok(())
            }
        }
    }

    /// As [`Db::write_and_tell`], for a job that nobody waits for.
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

    /// As [`Db::write_in`] for a job that may touch anything.
    pub(crate) async fn write_and_tell<T, E>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        tell: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.write_in(Scope::Everything, job, tell).await
    }

    /// Runs `job` in a transaction and answers after it is on disk. An error rolls back this job
    /// and no other. Nobody else changes what is in `scope` meanwhile. `tell` runs after the
    /// commit, even if the caller has gone away by then.
    pub(crate) async fn write_in<T, E>(
        &self,
        scope: Scope,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        tell: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            // There is one writer: nobody else changes anything.
            Engine::Sqlite(sqlite) => sqlite.write(Syncing::BeforeAnswer, job, tell).await,
            Engine::Postgres(postgres) => postgres.write(scope, job, tell).await,
            Engine::Simulated(simulated) => simulated.write(Syncing::BeforeAnswer, job, tell).await,
        }
    }

    /// As [`Db::write_in`], but the commit need not be on disk when this answers: for what a crash
    /// may take back. It can't take back this and leave what was written after it.
    pub(crate) async fn write_unsynced<T, E>(
        &self,
        scope: Scope,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        tell: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.write(Syncing::Later, job, tell).await,
            // It waits all the same: other processes act on it.
            Engine::Postgres(postgres) => postgres.write(scope, job, tell).await,
            Engine::Simulated(simulated) => simulated.write(Syncing::Later, job, tell).await,
        }
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
        match &self.engine {
            Engine::Sqlite(sqlite) => sqlite.read(job).await,
            Engine::Postgres(postgres) => postgres.read(job).await,
            Engine::Simulated(simulated) => simulated.read(job).await,
        }
    }
}
