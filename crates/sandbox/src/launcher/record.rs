//! The record of a sandbox's first process, on disk beside it.
//!
//! A pid alone is not an identity: it is used again. With the time the process started and
//! the boot that this time counts from, it is. The launcher writes the record before it lets
//! the child go on, so that no sandbox lives without one.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::limits::{PROTOCOL_VERSION, RECORD_BYTES_MAX};

const FILE_NAME: &str = "process.json";

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessRecord {
    pub(crate) protocol: u32,
    boot_id: String,
    pid: i32,
    start_ticks: u64,
    /// Directories to remove when the process is gone.
    pub(crate) cgroups: Vec<PathBuf>,
    /// Calls could be sent to this process or to one before it, so that there may be something to lose. A launch that
    /// failed or was given up has nothing.
    #[serde(default = "always")]
    was_ready: bool,
}

/// What records of before say, which were all of processes that were ready or may have been.
fn always() -> bool {
    true
}

impl ProcessRecord {
    pub(crate) fn of(pid: i32, cgroups: Vec<PathBuf>) -> io::Result<Self> {
        Ok(Self {
            protocol: PROTOCOL_VERSION,
            boot_id: boot_id()?,
            pid,
            start_ticks: start_ticks(pid)?,
            cgroups,
            was_ready: true,
        })
    }

    /// Of a process that is not ready yet, in the place of an earlier one.
    pub(crate) fn beginning(self, directory: &Path) -> Self {
        let was_ready = Self::was_ready(directory);
        Self { was_ready, ..self }
    }

    /// From here on there is something to lose.
    pub(crate) fn ready(self) -> Self {
        let was_ready = true;
        Self { was_ready, ..self }
    }

    /// Whether a sandbox was ready at some time. A record that says nothing was written by somebody all the same.
    pub(crate) fn was_ready(directory: &Path) -> bool {
        match Self::load(directory) {
            Ok(None) => false,
            Ok(Some(record)) => record.was_ready,
            Err(_) => true,
        }
    }

    pub(crate) fn save(&self, directory: &Path) -> io::Result<()> {
        let draft = directory.join("process.json.new");
        let mut file = fs::File::create(&draft)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(draft, directory.join(FILE_NAME))
    }

    /// Of a process that is gone.
    pub(crate) fn forget(directory: &Path) -> io::Result<()> {
        match fs::remove_file(directory.join(FILE_NAME)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// `Ok(None)` when there is no record; an error when there is one that says nothing.
    pub(crate) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let file = match fs::File::open(directory.join(FILE_NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// A descriptor of the process while it is alive and the one that was recorded.
    pub(crate) fn living_process(&self) -> Option<OwnedFd> {
        if self.boot_id != boot_id().ok()? {
            return None;
        }
        let pidfd = pidfd_open(Pid::from_raw(self.pid)?, PidfdFlags::empty()).ok()?;
        // Compared after the descriptor was opened: from here on it cannot be another's.
        let same = start_ticks(self.pid).is_ok_and(|ticks| ticks == self.start_ticks);
        same.then_some(pidfd)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }
}

fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?
        .trim()
        .to_owned())
}

/// When the process started, in clock ticks since boot. A zombie counts as gone.
fn start_ticks(pid: i32) -> io::Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, state, ticks) = parse_stat(&stat).ok_or(io::ErrorKind::InvalidData)?;
    if state == 'Z' {
        Err(io::ErrorKind::NotFound.into())
    } else {
        Ok(ticks)
    }
}

/// Parent, state and start time of a line of `/proc/<pid>/stat`. The command name in it may
/// hold anything, so the fields count from the last bracket.
pub(crate) fn parse_stat(stat: &str) -> Option<(i32, char, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // The start time is field 22 of the line; state was field 3, the parent field 4.
    let ticks = fields.nth(22 - 5)?.parse().ok()?;
    Some((parent, state, ticks))
}

/// The session of such a line: field 6.
pub(crate) fn parse_session(stat: &str) -> Option<i32> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(6 - 3)?.parse().ok()
}
