//! `hostler export` and `hostler import`: all rows of a database as one file, and back. It is how data moves
//! from one engine to the other. The blobs stay where they are, in the data folder.

use std::fs::OpenOptions;
use std::io::{BufReader, BufWriter};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use hostler_store::{DATABASE_FILE, TableSum};

use crate::config::Config;
use crate::data_folder::DataFolder;
use crate::database;
use crate::terminal::say;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferCommand {
    Export(PathBuf),
    Import(PathBuf),
}

/// Takes the data folder for itself, so that no server of it changes anything meanwhile.
pub async fn run(command: TransferCommand, config: &Config) -> anyhow::Result<()> {
    let _folder = DataFolder::open(&config.server.data_dir)?;
    match command {
        TransferCommand::Export(file) => export(&file, config).await,
        TransferCommand::Import(file) => import(&file, config).await,
    }
}

async fn export(path: &Path, config: &Config) -> anyhow::Result<()> {
    let folder = config.server.data_dir.as_path();
    if config.database.address.is_none() && !folder.join(DATABASE_FILE).is_file() {
        bail!(
            "{} holds no server's data; name the data folder with --data-dir",
            folder.display()
        );
    }
    let store = database::open_aside(config).await?;
    let shown = path.display();
    // What people said is in it. A file that is there is never overwritten.
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("{shown} cannot be made"))?;
    let synced = file
        .try_clone()
        .with_context(|| format!("{shown} cannot be written"))?;
    let sums = store.export(BufWriter::new(file)).await?;
    synced
        .sync_all()
        .with_context(|| format!("{shown} cannot be written"))?;
    say(&table(&sums));
    Ok(())
}

async fn import(path: &Path, config: &Config) -> anyhow::Result<()> {
    let file = std::fs::File::open(path)
        .with_context(|| format!("{} cannot be opened", path.display()))?;
    let store = database::open_aside(config).await?;
    let sums = store
        .import(BufReader::new(file))
        .await
        .context("nothing was imported")?;
    say(&table(&sums));
    Ok(())
}

fn table(sums: &[TableSum]) -> String {
    let mut text = String::new();
    for sum in sums {
        text.push_str(&format!(
            "{:22} {:>10}  {}\n",
            sum.table, sum.rows, sum.sha256
        ));
    }
    text
}
