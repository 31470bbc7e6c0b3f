//! Section `[sandbox]`: how tools are kept apart from the machine and from each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostler_sandbox::POOL_MAX;
use serde::{Deserialize, Serialize};

use super::docker::{DockerOptions, RawDocker};
use super::kubernetes::{KubernetesOptions, RawKubernetes};
use super::problem::Problem;
use super::quantity::{ByteSize, Span};
use super::resolve::Resolving;
use super::sandbox_roots::RootSettings;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawSandbox {
    /// `isolated` runs the tools of each session in namespaces of their own and refuses to start where the
    /// kernel does not allow that. `docker` makes a container for each session, `kubernetes`
    /// a pod. `unsafe-process` runs them as plain processes of the server's user, with nothing between an
    /// agent and your files: only for a machine that holds nothing of value.
    pub mode: SandboxMode,
    /// Where sandboxes live on disk. Without it, the folder `sandboxes` of the data folder.
    /// Example: state_dir = "/var/lib/hostler/sandboxes"
    pub state_dir: Option<PathBuf>,
    /// The first of the user ids that root inside a sandbox is mapped to, when the server runs as root.
    pub uid_base: u32,
    /// Memory of one sandbox, where the server may make a cgroup; elsewhere of each process in it.
    pub memory_bytes: ByteSize,
    /// Processes and threads of one sandbox.
    pub processes: u32,
    /// CPU time of one sandbox, counted in CPUs: 1.5 is one and a half. 0: not bounded, only shared.
    pub cpus: f64,
    /// What bounds the disk of a sandbox. `image`: a file system of its own, of the size `disk_bytes`, which
    /// takes a server that is root, loop devices and `mkfs.ext4`. `per-file`: no single file is larger than
    /// that, and many are not bounded. `auto` is `image` with `require = "full"`, else `per-file`: an image makes a
    /// sandbox slower to begin. Sandboxes that are there keep what they were made with.
    pub disk: DiskMode,
    /// Bytes of all files of a sandbox, or of each.
    pub disk_bytes: ByteSize,
    /// How many files, directories and links a sandbox with an image may have. Without it, one for each 16 KiB.
    /// Example: disk_files = 655360
    pub disk_files: Option<u64>,
    /// Open files of each process in a sandbox.
    pub open_files: u64,
    /// The size of `/tmp` in one sandbox. It counts as memory.
    pub tmp_bytes: ByteSize,
    /// Files in the `/tmp` of one sandbox.
    pub tmp_files: u64,
    /// Sandboxes that are made ahead, so that the first command of a session need not wait until its own is
    /// made: at most 64, and 0 for none. Each has processes of its own and takes about a megabyte. Without it,
    /// 2 with the mode `isolated`; with other modes there can be none.
    /// Example: pool = 4
    pub pool: Option<u32>,
    /// The container engine of the mode `docker`: a section of its own.
    pub docker: RawDocker,
    /// The cluster of the mode `kubernetes`: a section of its own.
    pub kubernetes: RawKubernetes,
    /// How long a session is idle before the processes of its sandbox are ended, and with them its
    /// background jobs and its `/tmp`. Its other files stay, the next command finds the shell as it was, and
    /// the agent is told what was lost. `"0s"`: never.
    pub idle_stop: Span,
    /// Sandboxes of idle sessions whose processes go on until then. Where there are more, those whose sessions
    /// were idle for longest are ended in the same way, some seconds later: each takes two megabytes and more.
    /// Without it, one for each 16 MiB of this machine's memory; with the mode `kubernetes` any number.
    /// Example: idle_max = 200
    pub idle_max: Option<u32>,
    /// How long a sandbox is kept from when it was made, whatever is done with it. The next time that its
    /// session rests, a new and empty one takes its place, and the agent is told. `"0s"`: for ever.
    pub keep: Span,
    /// Where the files of a sandbox are that was stopped: `local` leaves them in `state_dir`, `blobs` writes
    /// an archive to the blob store as well, from which the sandbox can be made again. Not with the mode
    /// `docker`.
    pub checkpoint: CheckpointPlace,
    /// Whether the files go from `state_dir` once their archive is in the blob store. The next command waits
    /// until they are back. Those of a sandbox with a root of its own stay.
    pub checkpoint_evict: bool,
    /// The least that must separate a sandbox from this machine: `restricted`, `user` or `full`, as told in
    /// docs/security.md. Where the machine gives less, the server refuses to start and says what is missing.
    /// Example: require = "user"
    pub require: Option<RequiredTier>,
    /// Where the programs in a sandbox come from: `host` (this machine's `/usr`, read-only), `dir:/path`,
    /// `tar:/path.tar.zst`, `oci-layout:/path`, or `oci:registry/name:tag`. `hostler images pull` fetches
    /// or copies one ahead of time, and again when it has changed; otherwise the first session waits.
    pub root: String,
    /// What environments may choose instead, by the key `hostler.root` of their metadata.
    pub allowed_roots: Vec<String>,
    /// A folder of packages that need no network. Whoever installs the packages of an environment sees
    /// it read-only at `/opt/package-sources`, and pip looks there too.
    /// Example: package_sources = "/srv/packages"
    pub package_sources: Option<PathBuf>,
    /// Variables of whoever installs the packages of an environment: where the managers find other
    /// registries than the public ones. The hosts of URLs in them are reached as those are.
    /// Example: package_environment = { PIP_INDEX_URL = "https://packages.example/simple" }
    pub package_environment: Option<BTreeMap<String, String>>,
    /// How long the packages of one environment may take to install, all together.
    pub package_install_time: Span,
    /// How long installed packages are kept that no session asks for. Those that a kept sandbox was made
    /// with stay. `"0s"`: for ever.
    pub package_keep: Span,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequiredTier {
    Restricted,
    User,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxMode {
    Isolated,
    Docker,
    Kubernetes,
    UnsafeProcess,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiskMode {
    Auto,
    Image,
    PerFile,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckpointPlace {
    Local,
    Blobs,
}

impl SandboxMode {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Isolated => "isolated",
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
            Self::UnsafeProcess => "unsafe-process",
        }
    }
}

impl Default for RawSandbox {
    fn default() -> Self {
        Self {
            mode: SandboxMode::Isolated,
            state_dir: None,
            uid_base: 300_000,
            memory_bytes: ByteSize(4 << 30),
            processes: 1024,
            cpus: 0.0,
            disk: DiskMode::Auto,
            disk_bytes: ByteSize(10 << 30),
            disk_files: None,
            open_files: 4096,
            tmp_bytes: ByteSize(512 << 20),
            tmp_files: 65_536,
            pool: None,
            docker: RawDocker::default(),
            kubernetes: RawKubernetes::default(),
            idle_stop: Span(Duration::from_secs(15 * 60)),
            idle_max: None,
            keep: Span(Duration::from_secs(30 * 24 * 60 * 60)),
            checkpoint: CheckpointPlace::Local,
            checkpoint_evict: true,
            require: None,
            root: "host".to_owned(),
            allowed_roots: Vec::new(),
            package_sources: None,
            package_environment: None,
            package_install_time: Span(Duration::from_secs(20 * 60)),
            package_keep: Span(Duration::from_secs(30 * 24 * 60 * 60)),
        }
    }
}

/// The resolved section.
#[derive(Debug, Clone)]
pub struct SandboxOptions {
    pub mode: SandboxMode,
    pub state_dir: PathBuf,
    pub uid_base: u32,
    pub memory_bytes: u64,
    pub processes: u32,
    /// `None`: not bounded.
    pub cpu_percent: Option<u32>,
    pub disk: DiskMode,
    pub disk_bytes: u64,
    pub disk_files: Option<u64>,
    pub open_files: u64,
    pub tmp_bytes: u64,
    pub tmp_files: u64,
    /// Sandboxes that are made ahead.
    pub pool: usize,
    pub docker: DockerOptions,
    pub kubernetes: KubernetesOptions,
    /// `None`: idle sandboxes go on.
    pub idle_stop: Option<Duration>,
    /// `None`: any number of idle sandboxes goes on.
    pub idle_max: Option<usize>,
    /// `None`: sandboxes are kept for ever.
    pub keep: Option<Duration>,
    pub checkpoint: CheckpointPlace,
    pub checkpoint_evict: bool,
    pub require: Option<RequiredTier>,
    pub roots: RootSettings,
}

/// A session more than this, at the same moment, waits for its sandbox as all would without a pool.
const POOL_DEFAULT: u32 = 2;
/// Bytes of this machine's memory for each idle sandbox: many times what one takes at rest.
const MEMORY_FOR_AN_IDLE_ONE: u64 = 16 << 20;
/// Less than this and not even the shell and an interpreter fit.
const MEMORY_BYTES_MIN: u64 = 32 << 20;
const PROCESSES_MIN: u32 = 16;
/// The kernel takes no less than a hundredth of a CPU; more than this is a mistake.
const CPUS_MIN: f64 = 0.01;
const CPUS_MAX: f64 = 4096.0;
/// Less than this and no package fits.
const DISK_BYTES_MIN: u64 = 16 << 20;
const DISK_FILES_MIN: u64 = 1024;
/// Each takes room before it is made: with more than this, that would be most of the disk.
const DISK_BYTES_PER_FILE_MIN: u64 = 1024;
const OPEN_FILES_MIN: u64 = 64;
const TMP_FILES_MIN: u64 = 64;
/// Ids below this belong to the machine's own users.
const UID_BASE_MIN: u32 = 65_536;
/// A sandbox uses the 65,536 ids from its base on.
const UID_BASE_MAX: u32 = u32::MAX - 65_536;

impl RawSandbox {
    pub(super) fn resolve(
        &self,
        data_dir: &Path,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> SandboxOptions {
        let mut refuse = |key: &str, message: String| {
            problems.push(at.problem(&["sandbox", key], message));
        };
        if self.memory_bytes.0 < MEMORY_BYTES_MIN {
            refuse(
                "memory_bytes",
                format!("must be at least {}", ByteSize(MEMORY_BYTES_MIN)),
            );
        }
        if self.processes < PROCESSES_MIN {
            refuse("processes", format!("must be at least {PROCESSES_MIN}"));
        }
        for (key, count, least) in [
            ("open_files", self.open_files, OPEN_FILES_MIN),
            ("tmp_files", self.tmp_files, TMP_FILES_MIN),
        ] {
            if count < least {
                refuse(key, format!("must be at least {least}"));
            }
        }
        if self.cpus != 0.0 && !(CPUS_MIN..=CPUS_MAX).contains(&self.cpus) {
            refuse(
                "cpus",
                format!("must be 0 or from {CPUS_MIN} to {CPUS_MAX}"),
            );
        }
        if self.tmp_bytes.0 >= self.memory_bytes.0 {
            refuse(
                "tmp_bytes",
                "must be less than `memory_bytes`, since it counts as memory".to_owned(),
            );
        }
        if !(UID_BASE_MIN..=UID_BASE_MAX).contains(&self.uid_base) {
            refuse(
                "uid_base",
                format!("must be from {UID_BASE_MIN} to {UID_BASE_MAX}"),
            );
        }
        self.check_disk(at, problems);
        self.check_checkpoint(at, problems);
        SandboxOptions {
            pool: self.resolve_pool(at, problems),
            roots: self.resolve_roots(at, problems),
            mode: self.mode,
            state_dir: match &self.state_dir {
                Some(folder) => at.path(&["sandbox", "state_dir"], folder),
                None => data_dir.join("sandboxes"),
            },
            uid_base: self.uid_base,
            memory_bytes: self.memory_bytes.0,
            processes: self.processes,
            // Between the bounds it fits, and a fraction of a hundredth is none.
            cpu_percent: Some((self.cpus * 100.0) as u32).filter(|percent| *percent > 0),
            disk: self.disk,
            disk_bytes: self.disk_bytes.0,
            disk_files: self.disk_files,
            open_files: self.open_files,
            tmp_bytes: self.tmp_bytes.0,
            tmp_files: self.tmp_files,
            require: self.require,
            docker: self.docker.resolve(self.mode, at, problems),
            kubernetes: self.kubernetes.resolve(self.mode, at, problems),
            idle_stop: Some(self.idle_stop.0).filter(|limit| !limit.is_zero()),
            idle_max: self.resolve_idle_max(),
            keep: Some(self.keep.0).filter(|limit| !limit.is_zero()),
            checkpoint: self.checkpoint,
            checkpoint_evict: self.checkpoint_evict,
        }
    }

    fn resolve_idle_max(&self) -> Option<usize> {
        let by_memory = || match self.mode {
            // Their memory is that of other machines.
            SandboxMode::Kubernetes => None,
            SandboxMode::Isolated | SandboxMode::Docker | SandboxMode::UnsafeProcess => {
                Some(memory_of_machine() / MEMORY_FOR_AN_IDLE_ONE)
            }
        };
        let most = self.idle_max.map(u64::from).or_else(by_memory);
        most.map(|most| usize::try_from(most).unwrap_or(usize::MAX))
    }

    fn resolve_pool(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> usize {
        let pool = self.pool.unwrap_or(match self.mode {
            SandboxMode::Isolated => POOL_DEFAULT,
            SandboxMode::Docker | SandboxMode::Kubernetes | SandboxMode::UnsafeProcess => 0,
        });
        let mut refuse = |message: String| {
            problems.push(at.problem(&["sandbox", "pool"], message));
        };
        if pool > 0 && self.mode != SandboxMode::Isolated {
            refuse(format!(
                "must be 0 when sandbox.mode is `{}`: only isolated sandboxes are made ahead",
                self.mode.as_str()
            ));
        }
        let pool = usize::try_from(pool).unwrap_or(usize::MAX);
        if pool > POOL_MAX {
            refuse(format!("must be at most {POOL_MAX}"));
        }
        pool
    }

    fn check_disk(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) {
        let mut refuse = |key: &str, message: String| {
            problems.push(at.problem(&["sandbox", key], message));
        };
        let bytes = self.disk_bytes.0;
        if bytes < DISK_BYTES_MIN {
            refuse(
                "disk_bytes",
                format!("must be at least {}", ByteSize(DISK_BYTES_MIN)),
            );
        }
        let most = bytes / DISK_BYTES_PER_FILE_MIN;
        if let Some(files) = self.disk_files
            && !(DISK_FILES_MIN..=most).contains(&files)
        {
            let message = format!(
                "must be from {DISK_FILES_MIN} to one for each {DISK_BYTES_PER_FILE_MIN} bytes of \
                 `disk_bytes`, which is {most}"
            );
            refuse("disk_files", message);
        }
        if self.disk == DiskMode::Image && self.mode != SandboxMode::Isolated {
            let message = format!(
                "must be `auto` or `per-file` when sandbox.mode is `{}`: only an isolated sandbox has \
                 an image",
                self.mode.as_str()
            );
            refuse("disk", message);
        }
    }

    fn check_checkpoint(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) {
        if self.mode == SandboxMode::Docker && self.checkpoint == CheckpointPlace::Blobs {
            let message = "must be `local` when sandbox.mode is `docker`: an archive would hold neither \
                 what was installed in the container nor the state of its shell";
            problems.push(at.problem(&["sandbox", "checkpoint"], message.to_owned()));
        }
    }
}

/// In bytes.
fn memory_of_machine() -> u64 {
    let info = rustix::system::sysinfo();
    info.totalram.saturating_mul(u64::from(info.mem_unit))
}
