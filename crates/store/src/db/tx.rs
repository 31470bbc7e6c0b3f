//! A transaction, for the length of one job: the same four verbs on either engine.

use std::ops::ControlFlow;

use hostler_protocol::Timestamp;

use super::postgres::PostgresTx;
use super::sqlite::Prepared;
use crate::StoreError;
use crate::parameter::Parameter;
use crate::row::Row;

/// A transaction of whichever engine.
pub(crate) enum Tx<'c> {
    Sqlite(&'c Prepared),
    Postgres(PostgresTx<'c>),
}

/// In microseconds, while the transaction goes on.
const POSTGRES_CLOCK: &str = "\
    select (extract(epoch from clock_timestamp()) * 1000000)::bigint";

impl Tx<'_> {
    /// The time of the database, which is the same for all who share it; `callers` on a file,
    /// which nobody shares.
    pub(crate) fn now(&self, callers: Timestamp) -> Result<Timestamp, StoreError> {
        match self {
            Self::Sqlite(sqlite) => Ok(sqlite.now(callers)),
            Self::Postgres(postgres) => {
                let now = postgres.one(POSTGRES_CLOCK, &[], |row| row.timestamp(0))?;
                now.ok_or(StoreError::Closed)
            }
        }
    }

    /// Runs a statement that returns no rows; answers how many it touched.
    pub(crate) fn execute(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<usize, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute(sql, parameters),
            Self::Postgres(postgres) => postgres.execute(sql, parameters),
        }
    }

    /// The first row, if there is one.
    pub(crate) fn one<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.one(sql, parameters, read),
            Self::Postgres(postgres) => postgres.one(sql, parameters, read),
        }
    }

    /// All rows: the statement must bound them.
    pub(crate) fn all<T>(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.all(sql, parameters, read),
            Self::Postgres(postgres) => postgres.all(sql, parameters, read),
        }
    }

    /// Reads rows until there are no more or `read` breaks off. They come as they are needed, so
    /// `read` can't ask further questions meanwhile; that of the other verbs can.
    pub(crate) fn each(
        &self,
        sql: &'static str,
        parameters: &[&dyn Parameter],
        read: impl FnMut(&Row<'_>) -> Result<ControlFlow<()>, StoreError>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.each(sql, parameters, read),
            Self::Postgres(postgres) => postgres.each(sql, parameters, read),
        }
    }
}
