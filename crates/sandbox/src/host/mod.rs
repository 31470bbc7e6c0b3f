//! The host's side: makes, finds again, and destroys sandboxes.

mod agent_socket;
mod ahead;
mod archive_record;
mod backend;
pub(crate) mod beneath;
pub(crate) mod box_files;
mod checkpoint;
mod connection;
mod disks;
mod exec;
mod fake;
mod gateway_sockets;
mod hint;
mod homecoming;
mod keepsake;
mod kill_all;
mod launch;
mod layers;
mod leftovers;
mod living;
mod news;
mod occupancy;
mod options;
mod outputs;
mod owners;
mod parting;
mod pool;
mod probe;
mod process;
mod processes;
mod removal;
mod rest;
mod root_record;
mod sandbox;
mod state_dir;
mod survey;
mod tree_copy;
mod trees;
mod uploads;
mod user_ids;
mod visit;
mod workspace_link;

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use self::archive_record::ArchiveRecord;
pub use self::archive_record::Standing;
pub use self::backend::{Backend, Docker, Kubernetes, KubernetesApi};
pub use self::checkpoint::Checkpoint;
pub use self::exec::{
    Exec, ExecError, ExecEvent, ExecInput, ExecOrder, ExecOutput, ServeOrder, exec,
};
use self::fake::FakeHost;
pub use self::fake::{FakeClock, FakeMachine};
pub use self::gateway_sockets::GatewaySockets;
pub use self::keepsake::Keepsake;
pub use self::kill_all::{kill_all, kill_one};
pub use self::layers::layers_in_use;
use self::living::Living;
pub use self::news::News;
use self::news::{Notice, NoticeBoard, Past};
use self::occupancy::Occupancy;
pub use self::occupancy::SandboxUse;
pub use self::options::HostOptions;
pub(crate) use self::outputs::Here as FilesHere;
pub use self::outputs::{Fingerprint, LeftOut, Output as OutputFile, OutputScan, Outputs, Why};
pub use self::parting::Parting;
pub use self::pool::Ahead;
use self::pool::Pool;
use self::probe::PROBE;
use self::processes::Processes;
pub(crate) use self::processes::program::prepare as prepare_program;
pub use self::sandbox::Sandbox;
use self::state_dir::{Files, Prepared, StateDir};
pub(crate) use self::state_dir::{INSIDE as INSIDE_DIRECTORIES, make_directory, open_directory};
pub use self::survey::{
    DiskUse, InnerProcess, Inspected, Ownership, Surveyed, inspect, names, pooled_names, survey,
};
pub use self::trees::{KeptTree, Moved};
pub use self::uploads::Upload;
use self::visit::Closing;
use crate::disk::{self, DiskFiles};
use crate::error::{SandboxError, Unavailable};
use crate::isolation::IsolationReport;
use crate::launcher::order::LaunchOrder;
use crate::name::SandboxName;
use crate::provenance::Provenance;
use crate::spec::Spec;

/// Cheap to clone. Dropping it ends no sandbox.
#[derive(Clone)]
pub struct SandboxHost {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Here(Arc<Inner>),
    Fake(FakeHost),
}

struct Inner {
    options: HostOptions,
    state: Arc<StateDir>,
    processes: Processes,
    isolation: IsolationReport,
    occupancy: Occupancy,
    living: Living,
    notices: NoticeBoard,
    pool: Arc<Pool>,
}

/// A sandbox, and whether its processes are the ones that were there before.
#[derive(Debug)]
pub struct Opened {
    pub sandbox: Sandbox,
    pub provenance: Provenance,
    /// Of something lost that nobody was told yet. Whoever tells it says so with
    /// [`News::told`]; dropped before, it comes again with the next [`SandboxHost::open`].
    pub news: Option<News>,
}

/// What became of the wish to stop a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It has no processes any more, or had none.
    Stopped,
    /// Somebody holds a [`Sandbox`] or a [`SandboxUse`] of it, so it goes on.
    InUse,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub name: SandboxName,
    pub is_alive: bool,
    /// Whether anything ever ran in it.
    pub was_launched: bool,
    /// When its files were begun.
    pub created_at: SystemTime,
}

impl SandboxHost {
    /// Makes, uses and destroys one sandbox before it returns: nothing else proves that this
    /// host can. Also deletes what a server that crashed had thrown away.
    pub async fn start(options: HostOptions) -> Result<Self, Unavailable> {
        let state_dir = options.state_dir.clone();
        let state = blocking(move || StateDir::open(&state_dir)).await;
        let state = state.map_err(|error| Unavailable {
            reason: format!(
                "the state directory {}: {error}",
                options.state_dir.display()
            ),
            hint: "give the server a directory of its own that it can write in".to_owned(),
        })?;
        let mut state = state;
        let of_host = options.clone();
        let chosen = blocking(move || Ok(state.choose_bound(&of_host).map(|()| state))).await;
        let state = chosen.map_err(|error| Unavailable {
            reason: error.to_string(),
            hint: "start the server again".to_owned(),
        })??;
        let isolation = IsolationReport::nothing(options.backend.mode());
        let processes = Processes::start(&options, &state).await?;
        let pool = Pool::new(options.pool, options.backend.mode());
        let mut inner = Inner {
            pool,
            processes,
            options,
            state: Arc::new(state),
            isolation,
            occupancy: Occupancy::default(),
            living: Living::default(),
            notices: NoticeBoard::default(),
        };
        leftovers::reap(&inner).await;
        let probed = inner.probe().await;
        inner.isolation = probed.map_err(|error| Unavailable {
            reason: error.to_string(),
            hint: inner.options.backend.hint(),
        })?;
        if let Some(required) = inner.options.require {
            inner.isolation.demand(required)?;
        }
        Ok(Self {
            place: Place::Here(Arc::new(inner)),
        })
    }

    /// What a machine that is there has. Whatever a fake one lacks is refused.
    fn inner(&self) -> Result<&Arc<Inner>, SandboxError> {
        match &self.place {
            Place::Here(inner) => Ok(inner),
            Place::Fake(_) => Err(SandboxError::Unavailable {
                reason: "a simulated machine has no files".to_owned(),
            }),
        }
    }

    pub fn isolation(&self) -> &IsolationReport {
        match &self.place {
            Place::Here(inner) => &inner.isolation,
            Place::Fake(fake) => fake.isolation(),
        }
    }

    /// Finds the running sandbox of this name, or makes one from its files, or makes one.
    pub async fn open(&self, name: &SandboxName, spec: &Spec) -> Result<Opened, SandboxError> {
        let inner = match &self.place {
            Place::Here(inner) => inner,
            Place::Fake(fake) => return fake.open(name).await,
        };
        let _alone = inner.occupancy.claim(name).await;
        let (mut opened, _) = inner.open(name, spec).await?;
        opened.news = inner.notices.take(name, &inner.state.directory_of(name));
        // News that nobody was told yet may be of a start before this one.
        if let Some(news) = &opened.news
            && opened.provenance != Provenance::Attached
        {
            opened.provenance = news.provenance();
        }
        Ok(opened)
    }

    /// Keeps the sandbox of this name from being stopped. A stop that began before goes on,
    /// and the next [`SandboxHost::open`] waits for it.
    pub fn hold(&self, name: &SandboxName) -> SandboxUse {
        match &self.place {
            Place::Here(inner) => inner.occupancy.hold(name),
            Place::Fake(fake) => fake.hold(name),
        }
    }

    /// Ends its processes and keeps its files and the state of its shell: its jobs and its `/tmp`
    /// are gone, and the next [`SandboxHost::open`] says [`Provenance::Restored`]. One in use is not
    /// stopped, not even later: whoever wants that asks again. One that is not running, or does
    /// not exist, is fine.
    pub async fn stop(&self, name: &SandboxName) -> Result<Stop, SandboxError> {
        let inner = match &self.place {
            Place::Here(inner) => inner,
            Place::Fake(fake) => return Ok(fake.stop(name).await),
        };
        let _alone = inner.occupancy.claim(name).await;
        let Some(_closed) = inner.close(name)? else {
            return Ok(Stop::InUse);
        };
        inner.rest(name).await?;
        Ok(Stop::Stopped)
    }

    /// What the sandbox of this name has written for its user, whether or not it is running.
    /// `None`: it has no files here.
    pub async fn outputs(&self, name: &SandboxName) -> Result<Option<Outputs>, SandboxError> {
        let inner = match &self.place {
            Place::Here(inner) => inner,
            Place::Fake(_) => return Ok(None),
        };
        let directory = inner.state.directory_of(name);
        if let Some(pod) = inner.processes.living_pod(&directory) {
            return Ok(Some(Outputs::in_pod(&directory, pod)?));
        }
        if disk::has_image(&directory) {
            return Ok(blocking(move || Outputs::open(&directory)).await?);
        }
        Ok(Outputs::open(&directory)?)
    }

    /// Every sandbox that has files here.
    pub async fn list(&self) -> Result<Vec<Listed>, SandboxError> {
        let inner = match &self.place {
            Place::Here(inner) => Arc::clone(inner),
            Place::Fake(fake) => return Ok(fake.list()),
        };
        let listed = blocking(move || {
            let names = inner.state.names()?.into_iter();
            Ok(names
                .map(|name| {
                    let directory = inner.state.directory_of(&name);
                    let created_at = state_dir::created_at(&directory);
                    Listed {
                        is_alive: inner.processes.seem_alive(&directory),
                        was_launched: inner.processes.were_launched(&directory),
                        // Half-made: the next open begins it anew.
                        created_at: created_at.unwrap_or(SystemTime::UNIX_EPOCH),
                        name,
                    }
                })
                .collect())
        });
        Ok(listed.await?)
    }
}

impl Inner {
    /// The report comes with a sandbox that was launched now.
    async fn open(
        &self,
        name: &SandboxName,
        spec: &Spec,
    ) -> Result<(Opened, Option<IsolationReport>), SandboxError> {
        let directory = self.state.directory_of(name);
        let opened = |provenance| {
            let sandbox = self.sandbox(name, &directory)?;
            Ok::<_, SandboxError>(Opened {
                sandbox,
                provenance,
                news: None,
            })
        };
        if self.is_running(name, &directory).await {
            return Ok((opened(Provenance::Attached)?, None));
        }
        if self.claim_pooled(name, spec).await {
            self.living.remember(name);
            return Ok((opened(Provenance::Created)?, None));
        }
        let are_files_lost = !self.bring_home(name).await?;
        self.end(name).await?;
        let past = match self.processes.were_launched(&directory) {
            true if are_files_lost => Past::RanAndLostFiles,
            true => Past::Ran,
            false => Past::NeverRan,
        };
        let Prepared { files, written } = self.prepare(name).await?;
        let provenance = match files {
            Files::Kept if past == Past::RanAndLostFiles => Provenance::Lost,
            Files::Kept if past == Past::Ran => Provenance::Replaced,
            Files::Kept | Files::New => Provenance::Created,
        };
        if files == Files::Kept {
            // Before the launch, so that a crash of the server between the two forgets nothing.
            Notice::starting(&directory, past)?;
            ArchiveRecord::goes_on(&directory)?;
        }
        let spec = root_record::settle(&directory, self.options.backend.mode(), spec)?;
        keepsake::settle(&directory, spec.keepsake.as_ref())?;
        let launched = self.launch(name, &directory, spec).await;
        // The sandbox has its files mounted by now; else they are at rest again.
        release(written).await;
        let isolation = launched?;
        tracing::info!(sandbox = %name, tier = %isolation.tier(), "a sandbox was started");
        // The probe is looked at by whoever made it.
        if name.as_str() != PROBE
            && let Err(refused) = self.demand(&isolation)
        {
            self.end(name).await?;
            return Err(refused);
        }
        Notice::started(&directory)?;
        self.living.remember(name);
        Ok((opened(provenance)?, Some(isolation)))
    }

    /// Starts the processes of the sandbox in `directory`, which has none. `name` is what it is known by
    /// on this host, and `spec` is settled.
    async fn launch(
        &self,
        name: &SandboxName,
        directory: &Path,
        spec: Spec,
    ) -> Result<IsolationReport, SandboxError> {
        let mode = self.options.backend.mode();
        let order = LaunchOrder {
            directory: directory.to_owned(),
            mode,
            uid_base: user_ids::of(directory)?.unwrap_or(0),
            limits: self.options.limits.clone(),
            spec,
            files_in: disks::files_in(directory, mode)?,
            state_dir: self.state.root().to_owned(),
            cgroup_name: self.state.cgroup_name(name),
            orphan_check: self.options.orphan_check,
        };
        self.processes.launch(&order, name).await
    }

    /// Whether it is what the operator demands at least.
    fn demand(&self, isolation: &IsolationReport) -> Result<(), SandboxError> {
        let Some(required) = self.options.require else {
            return Ok(());
        };
        let demanded = isolation.demand(required);
        demanded.map_err(|Unavailable { reason, .. }| SandboxError::Unavailable { reason })
    }

    /// Of one that is running.
    fn sandbox(&self, name: &SandboxName, directory: &Path) -> Result<Sandbox, SandboxError> {
        Sandbox::new(
            self.occupancy.hold(name),
            name.clone(),
            directory,
            self.processes.agent_socket(directory)?,
            self.living.clone(),
        )
    }

    /// Nobody uses it, and nobody begins to. `None`: somebody uses it, a server or the operator.
    fn close(&self, name: &SandboxName) -> io::Result<Option<Closing>> {
        if self.occupancy.is_used(name) {
            return Ok(None);
        }
        Closing::begin(&self.state.directory_of(name))
    }

    async fn is_running(&self, name: &SandboxName, directory: &Path) -> bool {
        if self.living.has(name) && self.processes.seem_alive(directory) {
            return true;
        }
        let answers = self.processes.are_running(directory).await;
        if answers {
            self.living.remember(name);
        }
        answers
    }

    async fn prepare(&self, name: &SandboxName) -> io::Result<Prepared> {
        let (state, name) = (Arc::clone(&self.state), name.clone());
        let uid_base = self.processes.uid_base();
        blocking(move || state.prepare(&name, uid_base)).await
    }

    async fn throw_away(&self, name: &SandboxName) -> Result<(), SandboxError> {
        let mounted = self.keep_mounted(&self.state.directory_of(name)).await?;
        self.end(name).await?;
        let unique_name = self.state.cgroup_name(name);
        self.processes.forget(&unique_name).await?;
        self.state.throw_away(name)?;
        if let Some(mounted) = mounted {
            // Not before: a server that is killed on the way leaves a sandbox that works. What
            // fails is written for nothing, which takes longer and does no harm.
            let _ = mounted.abandon();
            release(mounted.into_descriptor()).await;
        }
        Ok(())
    }

    async fn keep_mounted(&self, directory: &Path) -> io::Result<Option<DiskFiles>> {
        if !disk::has_image(directory) {
            return Ok(None);
        }
        let directory = directory.to_owned();
        blocking(move || Ok(disks::keep_mounted(&directory))).await
    }

    async fn end(&self, name: &SandboxName) -> io::Result<()> {
        self.living.forget(name);
        self.end_in(&self.state.directory_of(name), name).await
    }

    /// Ends the processes of the sandbox in `directory`, which is known by `name` on this host.
    async fn end_in(&self, directory: &Path, name: &SandboxName) -> io::Result<()> {
        let unique_name = self.state.cgroup_name(name);
        let mounted = self.keep_mounted(directory).await?;
        let ended = self.processes.end(directory, &unique_name).await;
        if let Some(mounted) = mounted {
            release(mounted.into_descriptor()).await;
        }
        ended
    }
}

/// Closes what may be the last hold of a mounted image: then it is written and unmounted.
async fn release(files: OwnedFd) {
    let released = tokio::task::spawn_blocking(move || drop(files)).await;
    debug_assert!(released.is_ok(), "closing a descriptor does not panic");
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}
