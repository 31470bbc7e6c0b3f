//! What can go wrong with the database itself. Expected outcomes (nothing found, a conflict) are
//! values of the functions that can have them.

use std::error::Error;

use tokio_postgres::error::SqlState;

/// A failure of the database, not of the caller.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A unique index refused the row. Callers that expect it turn it into an outcome.
    #[error("a row with this key exists")]
    Unique,
    /// Others hold the database for too long, or too much waits for it. Nothing was written.
    #[error("the database is busy")]
    Busy,
    /// There is no room on the disk. Nothing was written.
    #[error("the disk is full")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server of the database can't be reached, or broke off. Whether the last change was
    /// written is not known.
    #[error("the database can't be reached")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A text that this engine has no form for. Nothing was written.
    #[error("{0}")]
    NotStorable(NulInText),
    /// A row that doesn't hold what was written: a bug, or a damaged file.
    #[error("corrupt data: {what}")]
    Corrupt { what: String },
    /// A row of a log is not what was written: a disk or its cable has altered it.
    #[error(
        "the event {event} at position {seq} of the log of {session} is damaged: it is not what was written"
    )]
    Damaged {
        session: String,
        seq: i64,
        event: String,
    },
    /// The file was written by a newer version.
    #[error("the database has schema version {found}, this program knows versions up to {known}")]
    TooNew { found: i64, known: i64 },
    /// It is older, and was not to be changed.
    #[error(
        "the database has schema version {found} and version {known} is needed; \
         run `hostler migrate apply`"
    )]
    NotMigrated { found: i64, known: i64 },
    /// The database is not one to work with, and what to do about it.
    #[error("{what}")]
    Unusable { what: String },
    #[error("the store is closed")]
    Closed,
    #[error("the database failed")]
    Db(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The bucket of the blobs, and the settings that may be the reason.
    #[error("the blob store can't be reached")]
    BlobsUnreachable(#[source] Box<crate::BucketError>),
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
            Some(code) if code.code == ErrorCode::DiskFull => Self::Full(Box::new(error)),
            _ => Self::Db(Box::new(error)),
        }
    }
}

/// PostgreSQL's texts can't hold a character that JSON and SQLite can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("text with the character U+0000 can't be kept in this database")]
pub struct NulInText;

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(nul) = error.source().and_then(|cause| cause.downcast_ref()) {
            return Self::NotStorable(*nul);
        }
        let Some(state) = error.code() else {
            // What isn't an answer of the server is a connection that failed, unless we misread.
            return match error.is_closed() || is_io(&error) {
                true => Self::Unreachable(Box::new(error)),
                false => Self::Db(Box::new(error)),
            };
        };
        let busy = [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::QUERY_CANCELED,
        ];
        let unreachable = [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::TOO_MANY_CONNECTIONS,
            SqlState::IDLE_SESSION_TIMEOUT,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ];
        match state {
            state if *state == SqlState::UNIQUE_VIOLATION => Self::Unique,
            state if *state == SqlState::DISK_FULL => Self::Full(Box::new(error)),
            state if busy.contains(state) => Self::Busy,
            state if unreachable.contains(state) || state.code().starts_with("08") => {
                Self::Unreachable(Box::new(error))
            }
            _ => Self::Db(Box::new(error)),
        }
    }
}

impl StoreError {
    /// A failure of a folder that holds blobs.
    pub(crate) fn of_folder(error: impl Error + Send + Sync + 'static) -> Self {
        match is_for_want_of_room(&error) {
            true => Self::Full(Box::new(error)),
            false => Self::Blob(Box::new(error)),
        }
    }
}

fn is_for_want_of_room(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let mut cause = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| matches!(io.kind(), StorageFull | QuotaExceeded)) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}
