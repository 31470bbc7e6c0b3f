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

use super::visitors::Visitors;
use crate::launcher::record::{parse_session, parse_stat};
use crate::limits::{KILL_BATCH_MAX, KILL_ROUND_TIME_MAX, KILL_ROUNDS_MAX, TERM_GRACE};

struct Process {
    parent: i32,
    /// 0 if its leader is outside.
    session: i32,
    start_ticks: u64,
}

/// The processes of one moment.
#[derive(Default)]
pub(super) struct Census {
    living: HashSet<(i32, u64)>,
    /// What the operator runs belongs to no command, whenever it came.
    visitors: Visitors,
}

/// A census that was taken before it is needed: to walk through `/proc` takes longer than a short command.
pub(super) struct Ahead {
    census: Census,
    last_born: i32,
}

/// Processes to end, by descriptors that cannot come to mean others.
pub(super) struct Victims(Vec<OwnedFd>);

impl Census {
    pub(super) fn take(visitors: Visitors) -> Self {
        let living = living_processes().into_iter();
        Self {
            living: living
                .map(|(pid, process)| (pid, process.start_ticks))
                .collect(),
            visitors,
        }
    }

    /// For later, unless it can't be told then whether it is still good.
    pub(super) fn ahead(visitors: Visitors) -> Option<Ahead> {
        // Before: who is born meanwhile is not missed.
        let last_born = last_born()?;
        let census = Self::take(visitors);
        Some(Ahead { census, last_born })
    }

    /// As if nothing but the visitors had been there.
    pub(super) fn of_nobody(visitors: Visitors) -> Self {
        Self {
            living: HashSet::new(),
            visitors,
        }
    }

    /// The living processes that came after this census from `shell` or from the agent, and
    /// not from a process that was there before. The shell itself is not among them.
    pub(super) fn born_since(&self, shell: Option<i32>) -> Victims {
        let mut living = living_processes();
        // Afterwards, so that each visitor among them is known to be one.
        for visitor in self.visitors.now() {
            living.remove(&visitor);
        }
        let agent = std::process::id().cast_signed();
        let born = living.iter().filter(|(pid, process)| {
            !self.living.contains(&(**pid, process.start_ticks))
                && self.is_ours(**pid, &living, agent, shell)
        });
        Victims(born.filter_map(open).take(KILL_BATCH_MAX).collect())
    }

    /// **Invariant:** only a descendant of the agent is ever ours. In an unsafe process the
    /// whole host is in sight, so the walk up must end at the agent or at the shell, which is
    /// its child; the end of the chain, pid 0, is nobody's.
    fn is_ours(
        &self,
        pid: i32,
        living: &HashMap<i32, Process>,
        agent: i32,
        shell: Option<i32>,
    ) -> bool {
        if pid <= 1 || pid == agent || Some(pid) == shell {
            return false;
        }
        let Some(mut parent) = living.get(&pid).map(|process| process.parent) else {
            return false;
        };
        // Bounded by the number of processes: parents can change while we look.
        for _ in 0..living.len() {
            if parent <= 0 {
                return false;
            }
            if parent == agent || Some(parent) == shell {
                return true;
            }
            match living.get(&parent) {
                Some(next) if !self.living.contains(&(parent, next.start_ticks)) => {
                    parent = next.parent
                }
                Some(_) | None => return false,
            }
        }
        false
    }

    /// Whether anything lives that came after this census, but for the shell.
    pub(super) fn finds_others(&self, shell: Option<i32>) -> bool {
        !self.born_since(shell).0.is_empty()
    }

    /// Kills those born since, and those that they start meanwhile. False if some remain.
    pub(super) fn kill_born_since(&self, shell: Option<i32>) -> bool {
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

impl Ahead {
    /// As good as one that is taken now: nobody was born since. Who has died is of no account.
    pub(super) fn if_current(self) -> Option<Census> {
        (last_born() == Some(self.last_born)).then_some(self.census)
    }
}

/// The number of the process or thread that was born last in this namespace.
fn last_born() -> Option<i32> {
    let load = fs::read_to_string("/proc/loadavg").ok()?;
    load.split_ascii_whitespace().last()?.parse().ok()
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
            let mut fds: Vec<PollFd<'_>> = waiting
                .iter()
                .map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::IN))
                .collect();
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

/// Ends a session: the process that leads it, all that descends from it, and what is left of the
/// session. First politely, as when a terminal is closed. What left the session and outlived its
/// parent is a daemon, and stays. The leader was alive a moment ago, so its number is still its own.
pub(super) fn end_session(leader: i32) {
    let members = session_of(leader);
    members.signal(Signal::HUP);
    members.signal(Signal::CONT);
    members.wait_until(Instant::now() + TERM_GRACE);
    // Those that were found then also count if they have lost their parents since.
    members.signal(Signal::KILL);
    for _ in 0..KILL_ROUNDS_MAX {
        let victims = session_of(leader);
        if victims.0.is_empty() {
            return;
        }
        victims.signal(Signal::KILL);
        victims.wait_until(Instant::now() + KILL_ROUND_TIME_MAX);
    }
}

fn session_of(leader: i32) -> Victims {
    let living = living_processes();
    let descends = |pid: i32| {
        let mut ancestor = pid;
        for _ in 0..living.len() {
            match living.get(&ancestor) {
                Some(_) if ancestor == leader => return true,
                Some(process) if process.parent > 0 => ancestor = process.parent,
                Some(_) | None => return false,
            }
        }
        false
    };
    let members = living
        .iter()
        .filter(|(pid, process)| process.session == leader || descends(**pid));
    Victims(members.filter_map(open).take(KILL_BATCH_MAX).collect())
}

fn open((pid, process): (&i32, &Process)) -> Option<OwnedFd> {
    let pidfd = pidfd_open(Pid::from_raw(*pid)?, PidfdFlags::empty()).ok()?;
    let same = process_now(*pid)?.start_ticks == process.start_ticks;
    same.then_some(pidfd)
}

fn living_processes() -> HashMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return HashMap::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, process_now(pid)?)))
        .collect()
}

/// `None` for one that ended, also if nobody collected it yet.
fn process_now(pid: i32) -> Option<Process> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let (parent, state, start_ticks) = parse_stat(&stat)?;
    (state != 'Z' && state != 'X').then_some(Process {
        parent,
        session: parse_session(&stat)?,
        start_ticks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host as an unsafe process sees it: init 1, a kernel thread 2, a bystander 10, the
    /// agent 20, its shell 21, an old job 22, and children of each.
    fn ours(shell: Option<i32>, before: &[i32]) -> Vec<i32> {
        let parents = [
            (1, 0),
            (2, 0),
            (3, 2),
            (10, 1),
            (11, 10),
            (20, 1),
            (21, 20),
            (22, 21),
            (23, 21),
            (24, 22),
            (25, 23),
            (26, 20),
        ];
        let living = parents
            .map(|(pid, parent)| {
                (
                    pid,
                    Process {
                        parent,
                        session: 0,
                        start_ticks: 7,
                    },
                )
            })
            .into();
        let census = Census {
            living: before.iter().map(|pid| (*pid, 7)).collect(),
            visitors: Visitors::default(),
        };
        let pids = parents.map(|(pid, _)| pid).into_iter();
        let known = |pid: &i32| !before.contains(pid);
        pids.filter(known)
            .filter(|pid| census.is_ours(*pid, &living, 20, shell))
            .collect()
    }

    #[test]
    fn a_command_owns_what_it_started_and_no_more() {
        assert_eq!(ours(Some(21), &[1, 2, 3, 10, 20, 21, 22]), [23, 25, 26]);
    }

    #[test]
    fn without_a_census_only_descendants_of_the_agent_are_ours() {
        assert_eq!(ours(None, &[]), [21, 22, 23, 24, 25, 26]);
        assert_eq!(ours(Some(0), &[]), [21, 22, 23, 24, 25, 26]);
    }
}
