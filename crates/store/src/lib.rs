//! The only crate that knows SQL: a SQLite file in the data folder, or a PostgreSQL database that
//! several processes share.
//!
//! Entry points: [`Store::open`], [`Store::connect`]. `log.rs` has the only function that writes the table `events`;
//! `follow.rs` is how everybody outside follows a session, and `lease.rs` says who may act for
//! it. The other files are one resource each. Nothing here reads the wall clock, makes an id or
//! decides what an event means.

mod agents;
mod backup;
mod bell;
mod blobs;
mod bucket_use;
mod checkpoints;
mod checksum;
mod credential_seal;
mod credentials;
mod db;
mod environments;
mod error;
mod events_list;
mod files;
mod follow;
mod hub;
mod keys;
mod lease;
mod limits;
mod load;
mod log;
mod migrate;
mod options;
mod order;
mod orphans;
mod page;
mod parameter;
mod preview_exchange;
mod preview_message;
mod previews;
mod public_rows;
mod repository_tokens;
mod row;
mod session_calls;
mod session_environments;
mod session_files;
mod session_outputs;
mod session_placeholders;
mod session_repositories;
mod session_resources;
mod session_skills;
mod sessions;
mod sessions_change;
mod sessions_list;
mod sessions_send;
mod skills;
mod snapshots;
mod tail;
mod transfer;
mod vaults;
mod wire_event;

pub use agents::{AgentFilter, AgentSave, AgentSaved};
pub use backup::{
    BACKUP_FOLDERS, Backup, BackupEngine, BackupError, BackupPlace, BackupProgress, Manifest,
    Pruned, RestorePlace,
};
pub use blobs::{
    BlobStream, BlobUpload, BucketAddress, BucketAddressError, BucketError, BucketKey,
    BucketOptions,
};
pub use bucket_use::try_bucket;
pub use checkpoints::{CheckpointCommit, NewCheckpoint, SandboxCheckpoint};
pub use credential_seal::{CredentialError, seal_credential};
pub use credentials::{
    CredentialCreated, CredentialReplaced, FIRST_CREDENTIAL_VERSION, SealedCredential,
};
pub use db::{
    Access, AddressError, Fate, PostgresAddress, SimulatedDatabase, SimulatedLink,
    SimulatedSharing, SimulatedWriter, Weather, Witnessed,
};
pub use environments::{EnvironmentDeleted, EnvironmentUpdated};
pub use error::StoreError;
pub use events_list::{EventCursor, EventPage, EventQuery};
pub use files::{FileContent, FileCreated, NewFile};
pub use follow::{Follow, Followed, From};
pub use hub::{RunnerWakes, Wakes};
pub use keys::{ApiKey, KeyCreated, KeyRevoked, Workspace};
pub use lease::{Claim, Lease};
pub use load::{Place, Wanted};
pub use log::AppendError;
pub use migrate::Schema;
pub use options::{LeaseClock, Migrations, PostgresOptions, StoreOptions, WakeUps};
pub use order::{Order, TimeRange};
pub use page::{Archived, PageRange};
pub use preview_exchange::{Errand, PreviewExchange};
pub use previews::{Preview, PreviewOf};
pub use repository_tokens::{SealedToken, TokenReplaced, seal_next_token, seal_token};
pub use session_calls::CallsSeen;
pub use session_environments::SessionEnvironment;
pub use session_outputs::{KnownOutput, OutputKept, OutputWritten, SeenOutput};
pub use session_placeholders::SessionVariable;
pub use session_repositories::{NewRepository, RepositorySkill, SessionRepository};
pub use session_resources::{Mount, MountRefusal, Mounted, MountsGeneration, NewMount, Unmounted};
pub use session_skills::{SessionSkill, SkillRefusal};
pub use sessions::{CreateSession, NewSession, SessionBrief, SessionRow};
pub use sessions_change::{ChangeError, Changed, SessionEdit};
pub use sessions_list::{SessionFilter, SessionPage};
pub use skills::{NewSkillVersion, SkillCreated, SkillFileEntry, VersionDeleted};
pub use snapshots::{NewSnapshot, OpenedLog, StoredSnapshot};
pub use transfer::{TableSum, TransferError};
pub use vaults::VaultUpdated;
pub use wire_event::WireEvent;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use blobs::Blobs;
use db::Db;
use hub::Hub;
use load::Load;

/// A database, and the blobs beside it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
    hub: Arc<Hub>,
    blobs: Blobs,
    /// Who waits to read, and to change something.
    reads: Arc<Load>,
    changes: Arc<Load>,
    /// See [`MountsGeneration`].
    mounts_generation: Arc<AtomicU64>,
    lease_clock: LeaseClock,
    power_cut: Option<Arc<PowerCut>>,
}

/// The name of SQLite's file in the data folder.
pub const DATABASE_FILE: &str = "hostler.db";

/// See [`StoreOptions::runner_appends_max`].
#[derive(Debug)]
struct PowerCut {
    appends_left: AtomicU64,
}

impl PowerCut {
    /// Whether the next append is still written.
    fn allows_append(&self) -> bool {
        let spend = |left: u64| left.checked_sub(1);
        self.appends_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend)
            .is_ok()
    }

    fn is_now(&self) -> bool {
        self.appends_left.load(Ordering::SeqCst) == 0
    }
}

impl Store {
    /// Opens or makes `hostler.db` in `folder` and brings its tables up to date.
    ///
    /// # Errors
    /// When the file can't be opened, or was written by a newer version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, StoreOptions::default())
    }

    /// Whether the power cut of [`StoreOptions::runner_appends_max`] has come.
    pub fn is_cut_off(&self) -> bool {
        self.power_cut.as_ref().is_some_and(|cut| cut.is_now())
    }

    /// As [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(folder: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let db = Db::open_file(&folder.join(DATABASE_FILE), options.migrations)?;
        Self::of(db, folder, options)
    }

    /// Connects to a PostgreSQL database and brings its tables up to date. `folder` holds what
    /// isn't in a database. Blocks, so it is not for a thread that runs tasks.
    ///
    /// # Errors
    /// When the database can't be reached or isn't one to work with, in words for its owner; or
    /// was written by a newer version.
    pub fn connect(
        folder: &Path,
        database: PostgresOptions,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let db = Db::connect(database, options.migrations)?;
        Self::of(db, folder, options)
    }

    /// A server's link to a simulated database. Its writes are carried out by the writer.
    ///
    /// # Errors
    /// When `folder` is of no use.
    pub fn simulated(
        folder: &Path,
        database: &SimulatedDatabase,
        link: SimulatedLink,
        options: StoreOptions,
    ) -> Result<(Self, SimulatedWriter), StoreError> {
        let hub = Arc::new(Hub::new(options));
        let (db, writer) = Db::simulated(database, link, &hub);
        Ok((Self::with(db, hub, folder, options)?, writer))
    }

    fn of(db: Db, folder: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        Self::with(db, Arc::new(Hub::new(options)), folder, options)
    }

    fn with(
        db: Db,
        hub: Arc<Hub>,
        folder: &Path,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        if options.wake_ups == WakeUps::On {
            db.wake_others(&hub)?;
        }
        Ok(Self {
            db,
            hub,
            blobs: Blobs::in_folder(folder)?,
            lease_clock: options.lease_clock,
            reads: Load::of_reads(),
            changes: Load::of_changes(),
            mounts_generation: Arc::default(),
            power_cut: options.runner_appends_max.map(|appends| {
                Arc::new(PowerCut {
                    appends_left: AtomicU64::new(appends),
                })
            }),
        })
    }
}
