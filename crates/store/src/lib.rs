//! The only crate that knows SQL. SQLite in the data folder; one writer with group commit, a pool
//! of readers.
//!
//! Entry point: [`Store::open`]. `log.rs` has `append`, the only function that writes the table
//! `events`, and `tail`, by which everybody follows a session; the other files are one resource
//! each. Nothing here reads a clock, makes an id or decides what an event means.

mod db;
mod error;
mod hub;
mod keys;
mod limits;
mod migrate;
mod row;

pub use error::StoreError;
pub use keys::{ApiKey, KeyCreated, KeyRevoked, Workspace};

use std::path::Path;
use std::sync::Arc;

use db::Db;
use hub::Hub;

/// The database of one data folder. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    hub: Arc<Hub>,
}

impl Store {
    /// Opens or makes `hostler.db` in `folder` and brings its tables up to date.
    ///
    /// # Errors
    /// When the file can't be opened, or was written by a newer version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let db = Db::open(&folder.join("hostler.db"))?;
        Ok(Self {
            db,
            hub: Arc::new(Hub::new()),
        })
    }
}
