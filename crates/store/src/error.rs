//! What can go wrong with the database itself. Expected outcomes (nothing found, a conflict) are
//! values of the functions that can have them.

/// A failure of the database, not of the caller.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique index refused the row. Callers that expect it turn it into an outcome.
    #[error("a row with this key exists")]
    Unique,
    /// Another process holds the database for too long, or too much waits for it.
    #[error("the database is busy")]
    Busy,
    /// A row that doesn't hold what was written: a bug, or a damaged file.
    #[error("corrupt data: {what}")]
    Corrupt { what: String },
    /// The file was written by a newer version.
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    TooNew { found: i64, known: i64 },
    #[error("the store is closed")]
    Closed,
    #[error("the database failed")]
    Db(#[source] Box<rusqlite::Error>),
    #[error("a blob failed")]
    Blob(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};
        match error.sqlite_error() {
            Some(code)
                if [SQLITE_CONSTRAINT_UNIQUE, SQLITE_CONSTRAINT_PRIMARYKEY]
                    .contains(&code.extended_code) =>
            {
                Self::Unique
            }
            Some(code)
                if matches!(
                    code.code,
                    ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked
                ) =>
            {
                Self::Busy
            }
            _ => Self::Db(Box::new(error)),
        }
    }
}
