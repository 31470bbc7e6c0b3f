//! Counters that noise can't change, read from `/proc`: CPU, bytes written and memory of the server, and the
//! CPU of everything that it started.
//!
//! The driver is the subreaper of its descendants, so a sandbox that outlives its parent stays in sight.

use std::collections::BTreeMap;
use std::fs;

use anyhow::Context;

/// What was used up to a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    server_cpu: ThreadTimes,
    /// CPU of all other descendants of the driver, in ticks: finer counters die with their process.
    children_cpu_us: u64,
    bytes_written: u64,
}

/// What was used between two moments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    pub(crate) server_cpu_us: f64,
    /// The same by the name of the thread: which part of the server works.
    pub(crate) by_thread_us: BTreeMap<String, f64>,
    pub(crate) children_cpu_us: f64,
    pub(crate) bytes_written: u64,
}

/// CPU of each thread in nanoseconds, by thread id.
type ThreadTimes = BTreeMap<u32, ThreadTime>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ThreadTime {
    name: String,
    ns: u64,
}

impl Reading {
    pub(crate) fn of(server: u32) -> anyhow::Result<Self> {
        Ok(Self {
            server_cpu: thread_times(server)?,
            children_cpu_us: children_cpu_us(server)?,
            bytes_written: bytes_written(server)?,
        })
    }

    pub(crate) fn until(&self, later: &Reading) -> Used {
        let by_thread_us = cpu_us(&self.server_cpu, &later.server_cpu);
        Used {
            server_cpu_us: by_thread_us.values().sum(),
            by_thread_us,
            children_cpu_us: later.children_cpu_us.saturating_sub(self.children_cpu_us) as f64,
            bytes_written: later.bytes_written.saturating_sub(self.bytes_written),
        }
    }
}

impl Used {
    pub(crate) fn plus(mut self, other: Used) -> Used {
        self.server_cpu_us += other.server_cpu_us;
        self.children_cpu_us += other.children_cpu_us;
        self.bytes_written += other.bytes_written;
        for (name, us) in other.by_thread_us {
            *self.by_thread_us.entry(name).or_default() += us;
        }
        self
    }
}

/// Resident memory in KiB.
pub(crate) fn resident_kib(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("/proc/PID/status has no VmRSS")
}

/// Processes that descend from this one, without it.
pub(crate) fn descendants_of_driver() -> anyhow::Result<Vec<u32>> {
    let all = processes()?;
    let mut found = vec![std::process::id()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(
            all.iter()
                .filter(|process| process.parent == parent)
                .map(|process| process.id),
        );
        next += 1;
    }
    found.remove(0);
    // What has ended and only waits to be reaped is no process any more.
    found.retain(|id| {
        all.iter()
            .any(|process| process.id == *id && process.state != 'Z')
    });
    Ok(found)
}

/// The process of the server that makes its sandboxes.
pub(crate) fn zygote_of(server: u32) -> anyhow::Result<u32> {
    let is_zygote = |process: &Process| {
        let line = fs::read(format!("/proc/{}/cmdline", process.id)).unwrap_or_default();
        process.parent == server && line.starts_with(b"hostler\0sandbox-init")
    };
    let zygote = processes()?.into_iter().find(is_zygote);
    Ok(zygote.context("the server has no zygote")?.id)
}

/// What the kernel calls a process.
pub(crate) fn name_of(process: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    name.trim().to_owned()
}

/// Exact to the nanosecond where the kernel keeps `schedstat`, and a thread that ended in between is missed:
/// the server's threads live as long as it does, but for idle ones of the blocking pool.
fn thread_times(process: u32) -> anyhow::Result<ThreadTimes> {
    let mut times = ThreadTimes::new();
    for entry in fs::read_dir(format!("/proc/{process}/task")).context("the server is gone")? {
        let path = entry?.path();
        let Some(thread) = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok())
        else {
            continue;
        };
        // A thread may end between the listing and the look.
        let Ok(text) = fs::read_to_string(path.join("schedstat")) else {
            continue;
        };
        if let Some(time) = text
            .split_whitespace()
            .next()
            .and_then(|first| first.parse().ok())
        {
            let name = fs::read_to_string(path.join("comm")).unwrap_or_default();
            let name = name.trim().to_owned();
            times.insert(thread, ThreadTime { name, ns: time });
        }
    }
    Ok(times)
}

/// By the name of the thread.
fn cpu_us(before: &ThreadTimes, after: &ThreadTimes) -> BTreeMap<String, f64> {
    let mut spent: BTreeMap<String, f64> = BTreeMap::new();
    for (thread, time) in after {
        let earlier = before.get(thread).map(|time| time.ns).unwrap_or_default();
        *spent.entry(time.name.clone()).or_default() +=
            time.ns.saturating_sub(earlier) as f64 / 1e3;
    }
    spent
}

fn bytes_written(process: u32) -> anyhow::Result<u64> {
    let io = fs::read_to_string(format!("/proc/{process}/io")).context("/proc/PID/io")?;
    io.lines()
        .find_map(|line| line.strip_prefix("write_bytes:"))
        .and_then(|rest| rest.trim().parse().ok())
        .context("/proc/PID/io has no write_bytes")
}

#[derive(Debug, PartialEq, Eq)]
struct Process {
    id: u32,
    state: char,
    parent: u32,
    own_ticks: u64,
    /// Of children that have ended and been waited for.
    waited_ticks: u64,
}

/// What the server has waited for, and all its living descendants with what they have waited for.
fn children_cpu_us(server: u32) -> anyhow::Result<u64> {
    let tick_us = 1_000_000 / rustix::param::clock_ticks_per_second();
    let descendants = descendants_of_driver()?;
    let ticks: u64 = processes()?
        .iter()
        .filter(|process| descendants.contains(&process.id))
        .map(|process| {
            let own = if process.id == server {
                0
            } else {
                process.own_ticks
            };
            own + process.waited_ticks
        })
        .sum();
    Ok(ticks * tick_us)
}

fn processes() -> anyhow::Result<Vec<Process>> {
    let mut all = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let path = entry?.path();
        let numbered = path
            .file_name()
            .and_then(|name| name.to_str()?.parse::<u32>().ok());
        if numbered.is_none() {
            continue;
        }
        // A process may end between the listing and the look.
        if let Ok(stat) = fs::read_to_string(path.join("stat")) {
            all.extend(read_stat(&stat));
        }
    }
    Ok(all)
}

/// The name stands in parentheses and may itself hold blanks and parentheses.
fn read_stat(stat: &str) -> Option<Process> {
    let id = stat.split(' ').next()?.parse().ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some(Process {
        id,
        state: fields.first()?.chars().next()?,
        parent: u32::try_from(field(4)?).ok()?,
        own_ticks: field(14)? + field(15)?,
        waited_ticks: field(16)? + field(17)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_blanks_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c)) S 7 1 1 0 -1 4194560 900 80 0 0 11 13 17 19 20 0 1 0 5";
        let expected = Process {
            id: 42,
            state: 'S',
            parent: 7,
            own_ticks: 24,
            waited_ticks: 36,
        };
        assert_eq!(read_stat(stat), Some(expected));
    }

    #[test]
    fn a_new_thread_counts_whole_and_an_ended_one_not_at_all() {
        let time = |ns| ThreadTime {
            name: "worker".to_owned(),
            ns,
        };
        let before = ThreadTimes::from([(1, time(5_000)), (2, time(9_000))]);
        let after = ThreadTimes::from([(1, time(7_000)), (3, time(4_000))]);
        assert_eq!(
            cpu_us(&before, &after),
            BTreeMap::from([("worker".to_owned(), 6.0)])
        );
    }

    #[test]
    fn the_driver_can_read_its_own_counters() {
        let reading = Reading::of(std::process::id()).unwrap();
        assert!(!reading.server_cpu.is_empty());
        assert!(resident_kib(std::process::id()).unwrap() > 0);
    }
}
