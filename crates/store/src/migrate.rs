//! Numbered, forward-only migrations, applied at start in one transaction each.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::db::{Connector, Session, check};
use crate::limits::POSTGRES_MIGRATION;
use crate::{DATABASE_FILE, Migrations, PostgresAddress, StoreError};

/// Every migration ever released, oldest first. Never edit one that was released: add the next.
const MIGRATIONS: &[&str] = &[
    include_str!("../../../migrations/0001_init.sql"),
    include_str!("../../../migrations/0002_session_environments.sql"),
    include_str!("../../../migrations/0003_session_files.sql"),
    include_str!("../../../migrations/0004_sandbox_checkpoints.sql"),
    include_str!("../../../migrations/0005_session_repositories.sql"),
    include_str!("../../../migrations/0006_fruitless_takes.sql"),
    include_str!("../../../migrations/0007_session_snapshots.sql"),
    include_str!("../../../migrations/0008_vaults.sql"),
    include_str!("../../../migrations/0009_session_vaults.sql"),
    include_str!("../../../migrations/0010_credential_refreshes.sql"),
    include_str!("../../../migrations/0011_repository_tokens.sql"),
    include_str!("../../../migrations/0012_checksums.sql"),
    include_str!("../../../migrations/0013_skills.sql"),
    include_str!("../../../migrations/0014_repository_skills.sql"),
];

/// What version a database has, and which one this program writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schema {
    pub found: i64,
    pub known: i64,
}

impl Schema {
    /// Of the file in a data folder, which is there.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn of_file(folder: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(folder.join(DATABASE_FILE), flags)?;
        Ok(Self::found(sqlite_version(&connection)?))
    }

    /// Of a PostgreSQL database. Blocks.
    ///
    /// # Errors
    /// As [`crate::Store::connect`].
    pub fn of_database(address: PostgresAddress) -> Result<Self, StoreError> {
        let connector = Connector::new(address)?;
        check(&connector)?;
        let mut session = connector.connect()?;
        let there = session.query(HAS_VERSION, Vec::new())?;
        let is_there: bool = there.first().map_or(Ok(false), |row| row.try_get(0))?;
        Ok(Self::found(match is_there {
            true => postgres_version(&mut session)?.unwrap_or(0),
            false => 0,
        }))
    }

    /// What this program writes and reads.
    pub(crate) fn known_version() -> i64 {
        i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
    }

    fn found(found: i64) -> Self {
        Self {
            found,
            known: Self::known_version(),
        }
    }

    /// What it lacks.
    fn missing(self, migrations: Migrations) -> Result<&'static [&'static str], StoreError> {
        let Self { found, known } = self;
        let done = usize::try_from(found).unwrap_or(0);
        let missing = MIGRATIONS
            .get(done..)
            .ok_or(StoreError::TooNew { found, known })?;
        match migrations {
            Migrations::Require if !missing.is_empty() => {
                Err(StoreError::NotMigrated { found, known })
            }
            Migrations::Require | Migrations::Apply => Ok(missing),
        }
    }
}

fn sqlite_version(connection: &Connection) -> Result<i64, StoreError> {
    Ok(connection.query_row("pragma user_version", [], |row| row.get(0))?)
}

/// Brings the tables up to date. Two processes may race: the write lock orders them.
pub(crate) fn sqlite(
    connection: &mut Connection,
    migrations: Migrations,
) -> Result<(), StoreError> {
    let behavior = rusqlite::TransactionBehavior::Exclusive;
    let transaction = connection.transaction_with_behavior(behavior)?;
    let schema = Schema::found(sqlite_version(&transaction)?);
    for migration in schema.missing(migrations)? {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", schema.known)?;
    transaction.commit()?;
    Ok(())
}

const HAS_VERSION: &str = "select to_regclass('schema_migrations') is not null";
const VERSION: &str = "select version from schema_migrations";

/// None in a new database.
fn postgres_version(session: &mut Session) -> Result<Option<i64>, StoreError> {
    let rows = session.query(VERSION, Vec::new())?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?)
}

/// As [`sqlite`]. The migrations that are done are counted in one row.
pub(crate) fn postgres(session: &mut Session, migrations: Migrations) -> Result<(), StoreError> {
    session.batch("begin")?;
    // Others that start now wait here, and find everything done.
    session.batch_within(
        POSTGRES_MIGRATION,
        "set local lock_timeout = 0; select pg_advisory_xact_lock(1215265644, 1)",
    )?;
    let there = session.query(HAS_VERSION, Vec::new())?;
    let is_there: bool = there.first().map_or(Ok(false), |row| row.try_get(0))?;
    let found = match is_there {
        true => postgres_version(session)?,
        false => None,
    };
    let schema = Schema::found(found.unwrap_or(0));
    let missing = schema.missing(migrations)?;
    if !is_there {
        session.batch("create table schema_migrations (version bigint not null)")?;
    }
    for migration in missing {
        session.batch_within(POSTGRES_MIGRATION, &for_postgres(migration))?;
    }
    let known = schema.known;
    match found {
        Some(found) if found == known => {}
        Some(_) => session.batch(&format!("update schema_migrations set version = {known}"))?,
        None => session.batch(&format!(
            "insert into schema_migrations (version) values ({known})"
        ))?,
    }
    session.batch("commit")
}

/// The PostgreSQL form of a migration. The texts are written in what both engines take, but for
/// two words: a key that numbers itself, and text, which is to be ordered by its bytes as SQLite
/// orders it, whatever the locale of the database.
pub(crate) fn for_postgres(migration: &str) -> String {
    let numbered = "bigint generated by default as identity primary key";
    let mut sql = String::with_capacity(migration.len() * 2);
    for line in migration.lines() {
        if line.starts_with(' ') {
            let line = line.replace(" integer primary key", &format!(" {numbered}"));
            sql.push_str(&line.replace(" text", " text collate \"C\""));
        } else {
            sql.push_str(line);
        }
        sql.push('\n');
    }
    sql
}
