//! The cgroups of one sandbox: a v2 cgroup to end it by, and limits where the host gives them.
//!
//! Where processes can be limited, the agent has room of its own beside the tools, so that a
//! fork bomb cannot keep it from answering. Nothing here is required. A host that lets us make
//! none gets rlimits instead, and the report says so. Directories are removed on a failed
//! launch by a drop guard.

mod claim;
mod owner;
mod places;
mod removal;

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

pub use self::claim::{CgroupClaim, claim_cgroup};
pub(crate) use self::owner::remove_abandoned;
use self::places::Places;
pub(crate) use self::removal::{names_with_prefix, possible_directories, remove};
use crate::isolation::LimitSource;
use crate::limits::{AGENT_PROCESSES_MAX, CPU_PERIOD_MICROSECONDS, Limits};

const AGENT: &str = "agent";
const TOOLS: &str = "tools";

/// The cgroups made for one launch. Dropped without [`CgroupSet::keep`], they are removed.
pub(crate) struct CgroupSet {
    /// The v2 cgroup that the child is born in.
    birthplace: Option<PathBuf>,
    /// Those of v1, that it enters.
    others: Vec<PathBuf>,
    /// Those that the shell and all that it starts go into.
    tools: Vec<PathBuf>,
    /// What to remove; each holds nothing but [`AGENT`] and [`TOOLS`].
    made: Vec<PathBuf>,
    pub(crate) memory: LimitSource,
    pub(crate) processes: LimitSource,
    pub(crate) cpu: LimitSource,
}

impl CgroupSet {
    /// For a sandbox of the state directory `state`.
    pub(crate) fn create(name: &str, limits: &Limits, state: &Path) -> Self {
        let mut set = Self {
            birthplace: None,
            others: Vec::new(),
            tools: Vec::new(),
            made: Vec::new(),
            memory: LimitSource::Rlimit,
            processes: LimitSource::Rlimit,
            cpu: LimitSource::None,
        };
        let places = Places::find();
        if let Some(place) = places.v2 {
            set.create_v2(&place.join(name), limits);
        }
        if set.memory == LimitSource::Rlimit {
            let bytes = limits.memory_bytes.to_string();
            let limit = [("memory.limit_in_bytes", bytes.as_str())];
            if set.create_v1(places.v1_memory, name, &limit).is_some() {
                set.memory = LimitSource::CgroupV1;
            }
        }
        if set.processes == LimitSource::Rlimit {
            let all = (u64::from(limits.processes) + AGENT_PROCESSES_MAX).to_string();
            let limit = [("pids.max", all.as_str())];
            if let Some(made) = set.create_v1(places.v1_pids, name, &limit)
                && set.create_tools(&made, limits)
            {
                set.processes = LimitSource::CgroupV1;
            }
        }
        if let (LimitSource::None, Some(quota)) = (set.cpu, cpu_quota(limits)) {
            let (quota, period) = (quota.to_string(), CPU_PERIOD_MICROSECONDS.to_string());
            let limit = [
                ("cpu.cfs_period_us", period.as_str()),
                ("cpu.cfs_quota_us", quota.as_str()),
            ];
            if set.create_v1(places.v1_cpu, name, &limit).is_some() {
                set.cpu = LimitSource::CgroupV1;
            }
        }
        owner::mark(&set.made, state);
        set
    }

    fn create_v2(&mut self, cgroup: &Path, limits: &Limits) {
        if fs::create_dir(cgroup).is_err() {
            return;
        }
        self.made.push(cgroup.to_owned());
        self.birthplace = Some(cgroup.to_owned());
        if set(cgroup, "memory.max", limits.memory_bytes) {
            // Best effort: without swap accounting the file does not exist.
            set(cgroup, "memory.swap.max", 0);
            self.memory = LimitSource::CgroupV2;
        }
        if let Some(quota) = cpu_quota(limits)
            && set(
                cgroup,
                "cpu.max",
                format!("{quota} {CPU_PERIOD_MICROSECONDS}"),
            )
        {
            self.cpu = LimitSource::CgroupV2;
        }
        let all = u64::from(limits.processes) + AGENT_PROCESSES_MAX;
        // What hands a controller down holds no processes, so both sides get a leaf.
        if set(cgroup, "pids.max", all)
            && set(cgroup, "cgroup.subtree_control", "+pids")
            && fs::create_dir(cgroup.join(AGENT)).is_ok()
            && self.create_tools(cgroup, limits)
        {
            self.birthplace = Some(cgroup.join(AGENT));
            self.processes = LimitSource::CgroupV2;
        } else if self.memory == LimitSource::CgroupV2 {
            set(cgroup, "cgroup.subtree_control", "-pids");
        }
    }

    fn create_tools(&mut self, cgroup: &Path, limits: &Limits) -> bool {
        let tools = cgroup.join(TOOLS);
        let limited = fs::create_dir(&tools).is_ok() && set(&tools, "pids.max", limits.processes);
        if limited {
            self.tools.push(tools);
        }
        limited
    }

    fn create_v1(
        &mut self,
        place: Option<PathBuf>,
        name: &str,
        files: &[(&str, &str)],
    ) -> Option<PathBuf> {
        let directory = place?.join(name);
        fs::create_dir(&directory).ok()?;
        if files
            .iter()
            .all(|(file, value)| set(&directory, file, value))
        {
            self.made.push(directory.clone());
            self.others.push(directory.clone());
            return Some(directory);
        }
        // It was made a moment ago and is empty; if it stays, it limits nobody.
        let _ = fs::remove_dir(&directory);
        None
    }

    /// The v2 cgroup, for a child to be born in.
    pub(crate) fn open_birthplace(&self) -> Option<OwnedFd> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(self.birthplace.as_ref()?, flags, Mode::empty()).ok()
    }

    /// Files by which the child enters the cgroups that it cannot be born in.
    pub(crate) fn open_entrances(&self) -> io::Result<Vec<OwnedFd>> {
        self.others.iter().map(|cgroup| entrance(cgroup)).collect()
    }

    /// Files that take processes into the cgroups of tools. The kernel asks whether the one who
    /// opened such a file may move processes, so the sandbox can use them and open none.
    pub(crate) fn open_tools(&self) -> io::Result<Vec<OwnedFd>> {
        self.tools.iter().map(|cgroup| entrance(cgroup)).collect()
    }

    pub(crate) fn has_kill(&self) -> bool {
        self.birthplace
            .as_ref()
            .is_some_and(|cgroup| cgroup.join("cgroup.kill").exists())
    }

    /// Moves the process into the v2 cgroup, if it was not born there.
    pub(crate) fn attach(&self, pid: i32, born_in_place: bool) -> io::Result<()> {
        match &self.birthplace {
            Some(cgroup) if !born_in_place => {
                fs::write(cgroup.join("cgroup.procs"), pid.to_string())
            }
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn directories(&self) -> Vec<PathBuf> {
        self.made.clone()
    }

    /// Leaves the directories to whoever destroys the sandbox.
    pub(crate) fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for CgroupSet {
    fn drop(&mut self) {
        remove(&self.directories());
    }
}

/// The file that takes a thread into a cgroup, in v1, or else a process.
///
/// Moving a process, even one of one thread, stops forks and ends of processes on the whole host
/// until each processor has passed a point of rest, which takes milliseconds. A thread that moves
/// itself needs none of that. In v2 threads cannot be moved alone.
fn entrance(cgroup: &Path) -> io::Result<OwnedFd> {
    let open = |file: &str| File::options().write(true).open(cgroup.join(file));
    match open("tasks") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => open("cgroup.procs"),
        opened => opened,
    }
    .map(OwnedFd::from)
}

/// Takes the calling process, which has one thread, into the cgroups of these files.
pub(crate) fn enter(entrances: &[OwnedFd]) -> io::Result<()> {
    entrances
        .iter()
        .try_for_each(|entrance| rustix::io::write(entrance, b"0").map(|_| ()))
        .map_err(io::Error::from)
}

fn set(cgroup: &Path, file: &str, value: impl ToString) -> bool {
    fs::write(cgroup.join(file), value.to_string()).is_ok()
}

/// Microseconds of CPU time that all processes together get in one period.
fn cpu_quota(limits: &Limits) -> Option<u64> {
    let percent = u64::from(limits.cpu_percent?);
    Some(percent * CPU_PERIOD_MICROSECONDS / 100)
}
