//! One connection, used by one thread at a time, which drives it while it waits.
//!
//! The thread that asks is the thread that reads the socket: an answer wakes nobody else.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures::StreamExt;
use tokio_postgres::{Client, Notification, Row, RowStream, Statement};

use super::wire::Wire;
use crate::StoreError;
use crate::limits::POSTGRES_ANSWER;
use crate::parameter::Value;

pub(crate) struct Session {
    client: Client,
    wire: Wire,
    /// By the address of the `'static` text, as on SQLite.
    prepared: HashMap<(usize, usize), Statement>,
    /// A statement of the present transaction has failed: the server keeps nothing of it.
    has_failed: bool,
}

/// Rows that are still coming.
pub(super) type Rows = Pin<Box<RowStream>>;

impl Session {
    pub(super) fn new(client: Client, wire: Wire) -> Self {
        Self {
            client,
            wire,
            prepared: HashMap::new(),
            has_failed: false,
        }
    }

    /// The first statement of a transaction; what failed in an earlier one is over.
    pub(super) fn begin(&mut self, sql: &str) -> Result<(), StoreError> {
        self.has_failed = false;
        self.batch(sql)
    }

    /// **Invariant:** a transaction that went on after a failure is refused here. The server would
    /// take the commit for a rollback, and not call that an error.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        if self.has_failed {
            return Err(StoreError::Corrupt {
                what: "a transaction went on after a statement that failed".to_owned(),
            });
        }
        self.batch("commit")
    }

    /// Statements without parameters, one or several.
    pub(crate) fn batch(&mut self, sql: &str) -> Result<(), StoreError> {
        self.batch_within(POSTGRES_ANSWER, sql)
    }

    /// As [`Session::batch`], for what may take its time.
    pub(crate) fn batch_within(&mut self, most: Duration, sql: &str) -> Result<(), StoreError> {
        let run = self.wire.drive(most, self.client.batch_execute(sql));
        self.noted(run)
    }

    pub(crate) fn execute(
        &mut self,
        sql: &'static str,
        values: Vec<Value<'_>>,
    ) -> Result<u64, StoreError> {
        let statement = self.prepare(sql)?;
        let run = self
            .wire
            .drive(POSTGRES_ANSWER, self.client.execute_raw(&statement, values));
        self.noted(run)
    }

    pub(crate) fn query(
        &mut self,
        sql: &'static str,
        values: Vec<Value<'_>>,
    ) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepare(sql)?;
        let client = &self.client;
        let run = self.wire.drive(POSTGRES_ANSWER, async {
            let mut rows = pin!(client.query_raw(&statement, values).await?);
            let mut found = Vec::new();
            while let Some(row) = rows.next().await {
                found.push(row?);
            }
            Ok(found)
        });
        self.noted(run)
    }

    /// Until all rows are read or dropped, nothing else may be asked on this connection.
    pub(super) fn stream(
        &mut self,
        sql: &'static str,
        values: Vec<Value<'_>>,
    ) -> Result<Rows, StoreError> {
        let statement = self.prepare(sql)?;
        let run = self
            .wire
            .drive(POSTGRES_ANSWER, self.client.query_raw(&statement, values));
        self.noted(run).map(Box::pin)
    }

    pub(super) fn next_row(&mut self, rows: &mut Rows) -> Result<Option<Row>, StoreError> {
        let next = async { rows.next().await.transpose() };
        let run = self.wire.drive(POSTGRES_ANSWER, next);
        self.noted(run)
    }

    /// What has come, or comes within `most`.
    pub(super) fn notifications(
        &mut self,
        most: Duration,
    ) -> Result<Vec<Notification>, StoreError> {
        self.wire.notifications(most)
    }

    fn prepare(&mut self, sql: &'static str) -> Result<Statement, StoreError> {
        let key = (sql.as_ptr() as usize, sql.len());
        if let Some(statement) = self.prepared.get(&key) {
            return Ok(statement.clone());
        }
        let run = self.wire.drive(POSTGRES_ANSWER, self.client.prepare(sql));
        let statement = self.noted(run)?;
        self.prepared.insert(key, statement.clone());
        Ok(statement)
    }

    fn noted<T>(&mut self, run: Result<T, StoreError>) -> Result<T, StoreError> {
        self.has_failed |= run.is_err();
        run
    }
}
