//! The cgroups of one sandbox: a v2 leaf to end it by, and limits where the host gives them.
//!
//! Nothing here is required. A host that lets us make none gets rlimits instead, and the
//! report says so. Directories are removed on a failed launch by a drop guard.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::isolation::LimitSource;
use crate::limits::Limits;

/// The cgroups made for one launch. Dropped without [`CgroupSet::keep`], they are removed.
pub(crate) struct CgroupSet {
    leaf: Option<PathBuf>,
    others: Vec<PathBuf>,
    pub(crate) memory: LimitSource,
    pub(crate) processes: LimitSource,
}

/// Where this process is in one hierarchy, as a directory.
struct OwnCgroups {
    v2: Option<PathBuf>,
    v1_memory: Option<PathBuf>,
    v1_pids: Option<PathBuf>,
}

impl CgroupSet {
    pub(crate) fn create(name: &str, limits: &Limits) -> Self {
        let mut set = Self {
            leaf: None,
            others: Vec::new(),
            memory: LimitSource::Rlimit,
            processes: LimitSource::Rlimit,
        };
        let own = OwnCgroups::find();
        if let Some(parent) = own.v2 {
            set.create_leaf(&parent.join(name), limits);
        }
        if set.memory == LimitSource::Rlimit
            && set.create_v1(
                own.v1_memory,
                name,
                "memory.limit_in_bytes",
                limits.memory_bytes,
            )
        {
            set.memory = LimitSource::CgroupV1;
        }
        if set.processes == LimitSource::Rlimit
            && set.create_v1(own.v1_pids, name, "pids.max", limits.processes.into())
        {
            set.processes = LimitSource::CgroupV1;
        }
        set
    }

    fn create_leaf(&mut self, leaf: &Path, limits: &Limits) {
        if fs::create_dir(leaf).is_err() {
            return;
        }
        self.leaf = Some(leaf.to_owned());
        if fs::write(leaf.join("memory.max"), limits.memory_bytes.to_string()).is_ok() {
            // Best effort: without swap accounting the file does not exist.
            let _ = fs::write(leaf.join("memory.swap.max"), "0");
            self.memory = LimitSource::CgroupV2;
        }
        if fs::write(leaf.join("pids.max"), limits.processes.to_string()).is_ok() {
            self.processes = LimitSource::CgroupV2;
        }
    }

    fn create_v1(&mut self, parent: Option<PathBuf>, name: &str, file: &str, value: u64) -> bool {
        let Some(directory) = parent.map(|parent| parent.join(name)) else {
            return false;
        };
        if fs::create_dir(&directory).is_err() {
            return false;
        }
        let limited = fs::write(directory.join(file), value.to_string()).is_ok();
        if limited {
            self.others.push(directory);
        } else {
            // It was made a moment ago and is empty; if it stays, it limits nobody.
            let _ = fs::remove_dir(&directory);
        }
        limited
    }

    /// The v2 leaf, for a child to be born in.
    pub(crate) fn open_leaf(&self) -> Option<OwnedFd> {
        let leaf = self.leaf.as_ref()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(leaf, flags, Mode::empty()).ok()
    }

    pub(crate) fn has_kill(&self) -> bool {
        self.leaf
            .as_ref()
            .is_some_and(|leaf| leaf.join("cgroup.kill").exists())
    }

    /// Moves the process into those it was not born in.
    pub(crate) fn attach(&self, pid: i32, born_in_leaf: bool) -> io::Result<()> {
        let leaf = self.leaf.iter().filter(|_| !born_in_leaf);
        leaf.chain(&self.others)
            .try_for_each(|cgroup| fs::write(cgroup.join("cgroup.procs"), pid.to_string()))
    }

    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        self.leaf.iter().chain(&self.others).cloned().collect()
    }

    /// Leaves the directories to whoever destroys the sandbox.
    pub(crate) fn keep(mut self) {
        self.leaf = None;
        self.others.clear();
    }
}

impl Drop for CgroupSet {
    fn drop(&mut self) {
        remove(&self.directories());
    }
}

/// Ends what is left in the cgroups and removes them. Those that are gone are fine.
pub(crate) fn remove(directories: &[PathBuf]) {
    for directory in directories {
        // Only v2 has the file; it ends processes that escaped every other way.
        let _ = fs::write(directory.join("cgroup.kill"), "1");
        if let Err(error) = fs::remove_dir(directory)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(directory = %directory.display(), %error, "a cgroup stays behind");
        }
    }
}

/// All directories that a launch with this name may have made.
pub(crate) fn possible_directories(name: &str) -> Vec<PathBuf> {
    let own = OwnCgroups::find();
    let parents = [own.v2, own.v1_memory, own.v1_pids];
    parents
        .into_iter()
        .flatten()
        .map(|parent| parent.join(name))
        .filter(|d| d.exists())
        .collect()
}

impl OwnCgroups {
    fn find() -> Self {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self {
            v2: own_directory(&mounts, &own, "cgroup2", ""),
            v1_memory: own_directory(&mounts, &own, "cgroup", "memory"),
            v1_pids: own_directory(&mounts, &own, "cgroup", "pids"),
        }
    }
}

/// Joins the mount point of a hierarchy with our place in it.
fn own_directory(mounts: &str, own: &str, kind: &str, controller: &str) -> Option<PathBuf> {
    let place = own.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let controllers = fields.next()?;
        let named = controllers.split(',').any(|name| name == controller);
        fields.next().filter(|_| named)
    })?;
    let (mount_root, mount_point) = mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let same_kind = after.next() == Some(kind);
        let options = after.nth(1)?;
        let named = controller.is_empty() || options.split(',').any(|name| name == controller);
        let mut before = before.split(' ').skip(3);
        let root_and_point = before.next().zip(before.next());
        root_and_point.filter(|_| same_kind && named)
    })?;
    // In a container the hierarchy may be mounted from our own place on.
    let below = place
        .strip_prefix(mount_root.trim_end_matches('/'))
        .unwrap_or(place);
    Some(Path::new(mount_point).join(below.trim_start_matches('/')))
}
