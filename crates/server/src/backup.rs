//! `hostler backup` and `hostler restore`: everything that a server keeps, as of one moment, in a folder or a
//! bucket, and back into an empty place.

use std::fs::{File, OpenOptions, TryLockError};
use std::num::NonZeroUsize;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use hostler_domain::Env;
use hostler_store::{
    BACKUP_FOLDERS, Backup, BackupPlace, BackupProgress, DATABASE_FILE, Migrations,
    PostgresOptions, Pruned, RestorePlace,
};

use crate::config::Config;
use crate::data_folder::{DataFolder, create_private};
use crate::database;
use crate::limits::PROGRESS_EVERY;
use crate::terminal::say;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackupCommand {
    /// To a folder, or `s3://bucket/prefix`.
    Make {
        place: String,
        /// How many are kept; all without.
        keep: Option<NonZeroUsize>,
    },
    Restore {
        place: String,
        name: Option<String>,
    },
}

/// What is being brought back is here until all of it is, and no server starts beside it.
pub(crate) const RESTORE: &str = "restore";
const BACKUP: &str = "backup";

pub async fn run(command: BackupCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        BackupCommand::Make { place, keep } => make(&place, keep, config).await,
        BackupCommand::Restore { place, name } => restore(&place, name.as_deref(), config).await,
    }
}

/// Beside a server of the data folder, or without one.
async fn make(place: &str, keep: Option<NonZeroUsize>, config: &Config) -> anyhow::Result<()> {
    let folder = config.server.data_dir.as_path();
    if config.database.address.is_none() && !folder.join(DATABASE_FILE).is_file() {
        bail!(
            "{} holds no server's data; name the data folder with --data-dir",
            folder.display()
        );
    }
    let place = place_of(place, config)?;
    if keep.is_some() && matches!(place, BackupPlace::Bucket(_)) {
        bail!(
            "--keep is for folders: another backup into a bucket may count on what would be deleted there, and \
             nobody could tell"
        );
    }
    let scratch = folder.join(BACKUP);
    let _scratch = alone(&scratch)?;
    let _place = match &place {
        BackupPlace::Folder(to) => Some(ready(to, folder)?),
        BackupPlace::Bucket(_) => None,
    };
    let open = config.clone();
    // A server of an older version may be running: its tables are not changed under it.
    let store =
        tokio::task::spawn_blocking(move || database::open_with(&open, Migrations::Require));
    let store = store.await??;
    let mut shown = Shown::new();
    let program = (env!("CARGO_PKG_VERSION"), Env::system().now());
    let mut tell = |progress| shown.tell(progress);
    let backup = store.backup(&place, &scratch, program, &mut tell).await;
    for file in ["rows", "list"] {
        // They may not have been made.
        let _ = std::fs::remove_file(scratch.join(file));
    }
    let backup = backup.with_context(|| format!("there is no new backup in {place}"))?;
    say(&format!("{place}/backups/{}\n", backup.name));
    say(&summary(&backup, shown.last));
    if let Some(keep) = keep {
        let pruned = place.prune(keep, &scratch).await;
        let pruned = pruned.context("the new backup is there, and no old one was deleted")?;
        say(&given_up(pruned));
    }
    Ok(())
}

fn given_up(pruned: Pruned) -> String {
    let Pruned {
        backups,
        files,
        bytes,
    } = pruned;
    let freed = mebibytes(bytes);
    format!("{backups} old backups deleted, and {files} files of {freed} that only they needed\n")
}

/// Takes the data folder for itself.
async fn restore(place: &str, name: Option<&str>, config: &Config) -> anyhow::Result<()> {
    let from = place_of(place, config)?;
    let folder = DataFolder::open(&config.server.data_dir)?;
    let scratch = folder.path().join(RESTORE);
    if scratch.exists() {
        bail!(
            "an earlier restore into {} broke off; empty the folder (and the bucket or database, where there \
             is one) and restore again",
            folder.path().display()
        );
    }
    let database = &config.database;
    let to = RestorePlace {
        data_folder: folder.path(),
        database: database.address.clone().map(|address| PostgresOptions {
            address,
            writers: database.write_connections,
            readers: database.read_connections,
        }),
        bucket: config.blobs.bucket(),
        scratch: &scratch,
    };
    let mut shown = Shown::new();
    let mut tell = |progress| shown.tell(progress);
    let backup = from.restore(name, to, &mut tell).await;
    let backup = backup.with_context(|| format!("nothing was restored from {from}"))?;
    std::fs::remove_dir_all(&scratch)
        .with_context(|| format!("{} cannot be removed", scratch.display()))?;
    say(&format!("restored {}\n", backup.name));
    say(&summary(&backup, shown.last));
    Ok(())
}

/// A server must not take half of a restore for all that there is.
pub(crate) fn refuse_half_restored(data_folder: &Path) -> anyhow::Result<()> {
    if data_folder.join(RESTORE).exists() {
        bail!(
            "a restore into {} broke off, so its data is not whole; empty the folder and restore again",
            data_folder.display()
        );
    }
    Ok(())
}

fn place_of(text: &str, config: &Config) -> anyhow::Result<BackupPlace> {
    if !text.contains("://") {
        return Ok(BackupPlace::Folder(PathBuf::from(text)));
    }
    let address = text.parse().with_context(|| text.to_owned())?;
    let bucket = config.blobs.reach(address).with_context(|| {
        format!(
            "{text} needs a key: set HOSTLER__BLOBS__ACCESS_KEY_ID and HOSTLER__BLOBS__SECRET_ACCESS_KEY, or \
             [blobs] in the configuration"
        )
    })?;
    Ok(BackupPlace::Bucket(bucket))
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Ok(_) | Err(_), _) => false,
    }
}

/// Makes what a folder of backups is made of, for its owner only, and takes it.
fn ready(to: &Path, data_folder: &Path) -> anyhow::Result<File> {
    let cannot = || format!("{} cannot be made", to.display());
    create_private(to).with_context(cannot)?;
    if is_same(to, data_folder) {
        bail!("a backup does not belong into the data folder; name another place");
    }
    for folder in BACKUP_FOLDERS {
        create_private(&to.join(folder)).with_context(cannot)?;
    }
    alone(to)
}

/// A folder in which one backup is made at a time, for as long as the file lives.
fn alone(scratch: &Path) -> anyhow::Result<File> {
    let shown = scratch.display();
    create_private(scratch).with_context(|| format!("{shown} cannot be made"))?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    let lock = options
        .open(scratch.join("LOCK"))
        .with_context(|| format!("{shown} cannot be written to"))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => bail!("another backup is being made: {shown} is in use"),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("{shown} cannot be locked"))
        }
    }
}

/// Tells on stderr how far it is, now and then.
struct Shown {
    since: Instant,
    last: BackupProgress,
}

impl Shown {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            last: BackupProgress::default(),
        }
    }

    fn tell(&mut self, progress: BackupProgress) {
        self.last = progress;
        if self.since.elapsed() >= PROGRESS_EVERY {
            self.since = Instant::now();
            let BackupProgress {
                files_done, files, ..
            } = progress;
            let copied = mebibytes(progress.bytes_copied);
            eprintln!("hostler: {files_done} of {files} files, {copied} copied");
        }
    }
}

fn summary(backup: &Backup, progress: BackupProgress) -> String {
    let manifest = &backup.manifest;
    format!(
        "{} files of {}, {} of them copied ({} were there), rows of {}\n",
        manifest.files,
        mebibytes(manifest.file_bytes),
        progress.files_done - progress.files_reused,
        progress.files_reused,
        mebibytes(manifest.database.size),
    )
}

fn mebibytes(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}
