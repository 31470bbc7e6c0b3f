//! Who descends from a command, and how all of it is ended.
//!
//! Process groups are not enough: `setsid` leaves them. Every process here descends from the
//! agent, which adopts orphans; those born during a command and not by an older background
//! job belong to it.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::launcher::record::parse_stat;
use crate::limits::{KILL_BATCH_MAX, KILL_ROUND_TIME_MAX, KILL_ROUNDS_MAX};

struct Process {
    parent: i32,
    start_ticks: u64,
}

/// The processes of one moment.
#[derive(Default)]
pub(super) struct Census(HashSet<(i32, u64)>);

/// Processes to end, by descriptors that cannot come to mean others.
pub(super) struct Victims(Vec<OwnedFd>);

impl Census {
    pub(super) fn take() -> Self {
        let living = living_processes();
        Self(living.into_iter().map(|(pid, process)| (pid, process.start_ticks)).collect())
    }

    /// The living processes that came after this census from `shell` or from the agent, and
    /// not from a process that was there before. The shell itself is not among them.
    pub(super) fn born_since(&self, shell: i32) -> Victims {
        let living = living_processes();
        let agent = std::process::id().cast_signed();
        let born = living.iter().filter(|(pid, process)| {
            **pid != shell
                && **pid != agent
                && !self.0.contains(&(**pid, process.start_ticks))
                && self.is_ours(process, shell, agent, &living)
        });
        let open = |(pid, process): (&i32, &Process)| {
            let pidfd = pidfd_open(Pid::from_raw(*pid)?, PidfdFlags::empty()).ok()?;
            let same = process_now(*pid)?.start_ticks == process.start_ticks;
            same.then_some(pidfd)
        };
        Victims(born.filter_map(open).take(KILL_BATCH_MAX).collect())
    }

    fn is_ours(
        &self,
        process: &Process,
        shell: i32,
        agent: i32,
        living: &HashMap<i32, Process>,
    ) -> bool {
        let mut parent = process.parent;
        // Bounded by the number of processes: parents can change while we look.
        for _ in 0..living.len() {
            if parent == shell || parent == agent {
                return true;
            }
            match living.get(&parent) {
                Some(next) if !self.0.contains(&(parent, next.start_ticks)) => parent = next.parent,
                Some(_) | None => return false,
            }
        }
        false
    }

    /// Kills those born since, and those that they start meanwhile. False if some remain.
    pub(super) fn kill_born_since(&self, shell: i32) -> bool {
        for _ in 0..KILL_ROUNDS_MAX {
            let victims = self.born_since(shell);
            if victims.0.is_empty() {
                return true;
            }
            victims.signal(Signal::KILL);
            victims.wait_until(Instant::now() + KILL_ROUND_TIME_MAX);
        }
        self.born_since(shell).0.is_empty()
    }
}

impl Victims {
    pub(super) fn signal(&self, signal: Signal) {
        for victim in &self.0 {
            // It may have ended by itself.
            let _ = pidfd_send_signal(victim, signal);
        }
    }

    /// Waits until all of them ended, at most until `deadline`.
    pub(super) fn wait_until(&self, deadline: Instant) {
        let mut waiting: Vec<&OwnedFd> = self.0.iter().collect();
        while !waiting.is_empty() {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut fds: Vec<PollFd<'_>> =
                waiting.iter().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN)).collect();
            let left = Timespec::try_from(left).ok();
            match rustix::event::poll(&mut fds, left.as_ref()) {
                Ok(0) => return,
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => return,
                Ok(_) => {}
            }
            let ended: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            let mut ended = ended.into_iter();
            waiting.retain(|_| !ended.next().unwrap_or(true));
        }
    }
}

fn living_processes() -> HashMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, process_now(pid)?))).collect()
}

/// `None` for one that ended, also if nobody collected it yet.
fn process_now(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (parent, state, start_ticks) = parse_stat(&String::from_utf8_lossy(&stat))?;
    (state != 'Z' && state != 'X').then_some(Process { parent, start_ticks })
}
