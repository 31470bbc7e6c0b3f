//! Numbered, forward-only migrations, applied at start in one transaction each.

use rusqlite::Connection;

use crate::StoreError;

/// Every migration ever released, oldest first. Never edit one that was released: add the next.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/0001_init.sql"),
    include_str!("../../../migrations/0002_session_environments.sql"),
    include_str!("../../../migrations/0003_session_files.sql"),
    include_str!("../../../migrations/0004_sandbox_checkpoints.sql"),
];

/// Brings the tables up to date. Two processes may race: the write lock orders them.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let behavior = rusqlite::TransactionBehavior::Exclusive;
    let transaction = connection.transaction_with_behavior(behavior)?;
    let found: i64 = transaction.query_row("pragma user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for migration in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
