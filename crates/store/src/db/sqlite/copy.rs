//! A copy of the file as of one moment, made while others write to it.

use std::path::PathBuf;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use super::Prepared;
use crate::StoreError;
use crate::db::Tx;
use crate::limits::BUSY_TIMEOUT;

const COPY: &str = "vacuum into ?1";

/// The file of a database.
#[derive(Clone)]
pub(crate) struct DatabaseFile(pub(super) Arc<PathBuf>);

impl DatabaseFile {
    /// Writes the copy, which does not exist yet, and answers what `job` finds in it. Nobody waits
    /// for it: it reads one state of the file, as every reader does.
    pub(crate) async fn copy<T: Send + 'static>(
        self,
        to: PathBuf,
        job: fn(&Tx<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let copy = move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&*self.0, flags)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.execute(COPY, [to.to_string_lossy()])?;
            let copied = Prepared::new(Connection::open_with_flags(&to, flags)?);
            job(&Tx::Sqlite(&copied))
        };
        let done = tokio::task::spawn_blocking(copy).await;
        done.map_err(|_| StoreError::Closed)?
    }
}
