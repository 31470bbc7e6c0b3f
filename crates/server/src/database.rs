//! The store that the configuration names: a file in the data folder, or a PostgreSQL database.

use anyhow::Context;
use hostler_store::{DATABASE_FILE, Migrations, PostgresOptions, Store, StoreOptions};

use crate::config::Config;

/// Remembers what was begun in a bucket.
const UPLOADS: &str = "uploads";

/// As the settings say. Blocks.
pub(crate) fn open(config: &Config) -> anyhow::Result<Store> {
    let migrations = match config.database.migrate {
        true => Migrations::Apply,
        false => Migrations::Require,
    };
    open_with(config, migrations)
}

pub(crate) fn open_with(config: &Config, migrations: Migrations) -> anyhow::Result<Store> {
    let folder = config.server.data_dir.as_path();
    let options = StoreOptions {
        migrations,
        ..StoreOptions::default()
    };
    let database = &config.database;
    let store = match &database.address {
        Some(address) => {
            let postgres = PostgresOptions {
                address: address.clone(),
                writers: database.write_connections,
                readers: database.read_connections,
            };
            // What is wrong with it is said with its address.
            Store::connect(folder, postgres, options)?
        }
        None => Store::open_with(folder, options)
            .with_context(|| format!("the database {}", folder.join(DATABASE_FILE).display()))?,
    };
    match &config.blobs.bucket() {
        // Only a server uploads, and there is one of a folder.
        Some(bucket) => Ok(store.in_bucket(bucket, &folder.join(UPLOADS))?),
        None => Ok(store),
    }
}

/// As [`open`], for whoever runs on a thread that must not block.
pub(crate) async fn open_aside(config: &Config) -> anyhow::Result<Store> {
    let config = config.clone();
    tokio::task::spawn_blocking(move || open(&config)).await?
}
