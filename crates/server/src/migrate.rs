//! `hostler migrate`: which version the database's tables have, and how they get to the newest.

use anyhow::Context;
use hostler_store::{DATABASE_FILE, Migrations, Schema};

use crate::config::Config;
use crate::database;
use crate::terminal::say;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrateCommand {
    Status,
    Apply,
}

pub fn run(command: MigrateCommand, config: &Config) -> anyhow::Result<()> {
    let before = schema(config)?;
    if command == MigrateCommand::Apply {
        database::open_with(config, Migrations::Apply)?;
    }
    say(&match (command, before) {
        (_, Schema { found, known }) if found == known => {
            format!("Version {found}, which is the newest.\n")
        }
        (MigrateCommand::Status, Schema { found, known }) => {
            format!("Version {found}; this program needs version {known}: hostler migrate apply\n")
        }
        (MigrateCommand::Apply, Schema { found, known }) => {
            format!("Version {known} now; it was version {found}.\n")
        }
    });
    Ok(())
}

fn schema(config: &Config) -> anyhow::Result<Schema> {
    match &config.database.address {
        Some(address) => Ok(Schema::of_database(address.clone())?),
        None => {
            let folder = &config.server.data_dir;
            let file = folder.join(DATABASE_FILE);
            Schema::of_file(folder).with_context(|| format!("the database {}", file.display()))
        }
    }
}
