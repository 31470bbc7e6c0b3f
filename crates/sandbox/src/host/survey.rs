//! What an operator sees of the sandboxes of a state directory, from outside: no server is needed,
//! none is disturbed, and no lock is taken.
//!
//! A sandbox changes while it is looked at, and names of processes were chosen inside: all that is
//! read is bounded, nothing in its directories is opened but directories, and no link is followed.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, statat};

use super::state_dir;
use crate::disk;
use crate::launcher::record::{ProcessRecord, parse_stat};
use crate::limits::{
    SURVEY_DEPTH_MAX, SURVEY_FILE_BYTES_MAX, SURVEY_NAMES_MAX, SURVEY_PROCESSES_MAX,
};
use crate::name::SandboxName;

/// One sandbox, for a list.
#[derive(Debug)]
pub struct Surveyed {
    pub name: SandboxName,
    pub ownership: Ownership,
    /// That of its first process, on this machine. `None`: it has no processes.
    pub pid: Option<i32>,
    /// What the cgroup counts. `None` where there is none.
    pub memory_bytes: Option<u64>,
    pub disk: DiskUse,
    /// When its files were begun, when its processes were started last, and when something of it
    /// changed that shows from outside.
    pub created_at: Option<SystemTime>,
    pub started_at: Option<SystemTime>,
    pub changed_at: Option<SystemTime>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Somebody has asked for it, by its name.
    Named,
    /// It was made ahead, and nobody has claimed it.
    Pooled,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DiskUse {
    pub bytes: u64,
    pub files: u64,
    /// There is more than was counted.
    pub is_partial: bool,
}

/// More of one sandbox.
#[derive(Debug)]
pub struct Inspected {
    pub surveyed: Surveyed,
    pub directory: PathBuf,
    /// As the kernel has them for the first process.
    pub seccomp: Option<u32>,
    pub no_new_privileges: Option<bool>,
    /// In hexadecimal. They hold within the sandbox's own user namespace only, if it has one.
    pub capabilities: Option<String>,
    /// Ids inside, ids outside, how many.
    pub user_ids: Vec<String>,
    /// File of the cgroup, and what it says.
    pub limits: Vec<(String, String)>,
    /// Where, what kind, with which options.
    pub mounts: Vec<String>,
    pub processes: Vec<InnerProcess>,
}

#[derive(Debug)]
pub struct InnerProcess {
    /// On this machine.
    pub pid: i32,
    pub state: char,
    pub memory_bytes: u64,
    /// Chosen inside: without control characters, and at most a line.
    pub command: String,
}

/// Every sandbox below `state_dir`, those that nobody has claimed last. A directory that does not exist has none.
pub fn survey(state_dir: &Path) -> io::Result<Vec<Surveyed>> {
    // In this order: one that is claimed meanwhile is shown twice and not never.
    let pooled = pooled_names(state_dir)?;
    let pooled = pooled.into_iter().map(|label| {
        let directory = state_dir::pool_of(state_dir).join(label.as_str());
        surveyed(&directory, label, Ownership::Pooled)
    });
    let pooled: Vec<_> = pooled.collect();
    let named = names(state_dir)?.into_iter().map(|name| {
        let directory = state_dir::boxes_of(state_dir).join(name.as_str());
        surveyed(&directory, name, Ownership::Named)
    });
    Ok(named.chain(pooled).collect())
}

/// Those that have files below `state_dir`, in order.
pub fn names(state_dir: &Path) -> io::Result<Vec<SandboxName>> {
    state_dir::names_in(&state_dir::boxes_of(state_dir))
}

/// Those that were made ahead and that nobody has claimed.
pub fn pooled_names(state_dir: &Path) -> io::Result<Vec<SandboxName>> {
    state_dir::names_in(&state_dir::pool_of(state_dir))
}

/// `Ok(None)`: there is none of this name.
pub fn inspect(state_dir: &Path, name: &SandboxName) -> io::Result<Option<Inspected>> {
    let directory = state_dir::place_of(state_dir, name);
    if !directory.is_dir() {
        return Ok(None);
    }
    let ownership = match directory.starts_with(state_dir::pool_of(state_dir)) {
        true => Ownership::Pooled,
        false => Ownership::Named,
    };
    let record = ProcessRecord::load(&directory).ok().flatten();
    let surveyed = surveyed(&directory, name.clone(), ownership);
    let status = surveyed.pid.map(|pid| read(&format!("/proc/{pid}/status")));
    let status = status.unwrap_or_default();
    let field = |name: &str| {
        let mut lines = status.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let of_process = |file: &str| match surveyed.pid {
        Some(pid) => read(&format!("/proc/{pid}/{file}")),
        None => String::new(),
    };
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(Some(Inspected {
        seccomp: field("Seccomp:").and_then(|mode| mode.parse().ok()),
        no_new_privileges: field("NoNewPrivs:").map(|set| set == "1"),
        capabilities: field("CapEff:"),
        user_ids: of_process("uid_map").lines().map(words).collect(),
        limits: record
            .map(|record| limits(&record.cgroups))
            .unwrap_or_default(),
        mounts: of_process("mountinfo").lines().filter_map(mount).collect(),
        processes: surveyed.pid.map(processes_beside).unwrap_or_default(),
        directory,
        surveyed,
    }))
}

fn surveyed(directory: &Path, name: SandboxName, ownership: Ownership) -> Surveyed {
    let record = ProcessRecord::load(directory).ok().flatten();
    let record = record.filter(|record| record.living_process().is_some());
    let changed = |file: &str| {
        fs::symlink_metadata(directory.join(file))
            .ok()?
            .modified()
            .ok()
    };
    let traces = [
        "process.json",
        "news.json",
        "shell_state",
        "workspace",
        "home",
        "outputs",
        disk::IMAGE_FILE,
    ];
    Surveyed {
        name,
        ownership,
        pid: record.as_ref().map(ProcessRecord::pid),
        memory_bytes: record.as_ref().and_then(|record| memory(&record.cgroups)),
        disk: disk_use(directory, record.as_ref().map(ProcessRecord::pid)),
        created_at: state_dir::created_at(directory).ok(),
        started_at: record.and_then(|_| changed("process.json")),
        changed_at: traces.into_iter().filter_map(changed).max(),
    }
}

fn memory(cgroups: &[PathBuf]) -> Option<u64> {
    let files = ["memory.current", "memory.usage_in_bytes"];
    let mut places = cgroups
        .iter()
        .flat_map(|cgroup| files.map(|file| cgroup.join(file)));
    places.find_map(|place| fs::read_to_string(place).ok()?.trim().parse().ok())
}

fn limits(cgroups: &[PathBuf]) -> Vec<(String, String)> {
    const FILES: &[&str] = &[
        "memory.max",
        "memory.limit_in_bytes",
        "pids.max",
        "pids.current",
        "cpu.max",
        "cpu.cfs_quota_us",
    ];
    let places = cgroups.iter().flat_map(|cgroup| {
        let of_file = move |file: &&str| {
            Some((
                (*file).to_owned(),
                fs::read_to_string(cgroup.join(file)).ok()?,
            ))
        };
        FILES.iter().filter_map(of_file)
    });
    places
        .map(|(file, value)| (file, value.trim().to_owned()))
        .collect()
}

/// `36 35 98:0 / /mnt rw,noatime - ext3 /dev/root rw` becomes `/mnt ext3 rw,noatime`.
fn mount(line: &str) -> Option<String> {
    let (before, after) = line.split_once(" - ")?;
    let mut before = before.split(' ').skip(4);
    let (place, options) = (before.next()?, before.next()?);
    Some(plain(&format!(
        "{place} {} {options}",
        after.split(' ').next()?
    )))
}

/// Those in the pid namespace of `first`; where that is this one, those that descend from it.
fn processes_beside(first: i32) -> Vec<InnerProcess> {
    let namespace = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let theirs = namespace(&first.to_string());
    let is_apart = theirs.is_some() && theirs != namespace("self");
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_inside = |pid: i32| {
        if is_apart {
            namespace(&pid.to_string()) == theirs
        } else {
            descends(pid, first)
        }
    };
    let mut found: Vec<_> = pids
        .filter(|pid| is_inside(*pid))
        .take(SURVEY_PROCESSES_MAX)
        .filter_map(process)
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

fn descends(mut pid: i32, first: i32) -> bool {
    for _ in 0..SURVEY_DEPTH_MAX {
        if pid == first {
            return true;
        }
        match parse_stat(&read(&format!("/proc/{pid}/stat"))) {
            Some((parent, _, _)) if parent > 0 => pid = parent,
            Some(_) | None => return false,
        }
    }
    false
}

fn process(pid: i32) -> Option<InnerProcess> {
    let stat = read(&format!("/proc/{pid}/stat"));
    let (_, state, _) = parse_stat(&stat)?;
    let arguments = read(&format!("/proc/{pid}/cmdline")).replace('\0', " ");
    let name = || {
        stat.split_once('(')?
            .1
            .rsplit_once(')')
            .map(|(name, _)| format!("[{name}]"))
    };
    let resident = read(&format!("/proc/{pid}/statm"));
    let pages: u64 = resident
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())?;
    let command = if arguments.trim().is_empty() {
        name().unwrap_or_default()
    } else {
        arguments
    };
    Some(InnerProcess {
        pid,
        state,
        memory_bytes: pages * rustix::param::page_size() as u64,
        command: plain(command.trim()),
    })
}

/// The start of a file of the kernel, whatever bytes are in it.
fn read(path: &str) -> String {
    use std::io::Read;
    let mut bytes = Vec::new();
    let read = fs::File::open(path)
        .and_then(|file| file.take(SURVEY_FILE_BYTES_MAX).read_to_end(&mut bytes));
    match read {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// A terminal shows it as it is.
fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '?' } else { c };
    text.chars().take(200).map(shown).collect()
}

/// What a sandbox takes on disk. With an image, what it has written may not be in that yet: while
/// it runs, its file system knows.
fn disk_use(directory: &Path, first: Option<i32>) -> DiskUse {
    let mut used = directory_use(directory).unwrap_or_default();
    if disk::has_image(directory) {
        let inside = match first {
            Some(first) => mounted_use(first),
            None => disk::files_at_rest(directory).map(|files| (0, files)),
        };
        match inside {
            Ok((bytes, files)) => {
                used.bytes = used.bytes.max(bytes);
                used.files += files;
            }
            Err(_) => used.is_partial = true,
        }
    }
    used
}

/// Bytes and files of the file system that the sandbox with this first process works in.
fn mounted_use(first: i32) -> io::Result<(u64, u64)> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let workspace = format!("/proc/{first}/root/workspace");
    let workspace = rustix::fs::open(workspace, flags, Mode::empty())?;
    let found = rustix::fs::fstatvfs(&workspace)?;
    Ok((
        (found.f_blocks - found.f_bfree) * found.f_frsize,
        found.f_files - found.f_ffree,
    ))
}

/// What a sandbox's directory takes on disk. A file with several names counts once for each.
fn directory_use(directory: &Path) -> io::Result<DiskUse> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut used = DiskUse::default();
    let mut open: Vec<OwnedFd> = vec![rustix::fs::open(directory, flags, Mode::empty())?];
    while let Some(here) = open.pop() {
        for entry in Dir::read_from(&here)? {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let Ok(found) = statat(here.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) else {
                continue;
            };
            used.files += 1;
            used.bytes += 512 * u64::try_from(found.st_blocks).unwrap_or(0);
            if used.files >= SURVEY_NAMES_MAX {
                used.is_partial = true;
                return Ok(used);
            }
            if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
                continue;
            }
            match openat(here.as_fd(), name, flags, Mode::empty()) {
                Ok(inner) if open.len() < SURVEY_DEPTH_MAX => open.push(inner),
                Ok(_) | Err(_) => used.is_partial = true,
            }
        }
    }
    Ok(used)
}
