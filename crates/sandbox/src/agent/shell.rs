//! One bash process, the three pipes to it, and the file that it writes its state to.
//!
//! It reads NUL-terminated commands from a private pipe, evaluates each with an empty
//! standard input and both outputs in one pipe, and reports the status on another. No
//! terminal: programs that ask for one do not find it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::fs::{MemfdFlags, OFlags, SeekFrom, memfd_create};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, pidfd_send_signal};

use super::Places;
use super::reaper::{Reaper, Started};
use crate::inside::network::PROXY;
use crate::isolation::Network;
use crate::packages::SEARCH_PATH;
use crate::sys::command::give_descriptors;

/// `$?` in the condition is the status of the command before. The number before it names that
/// command: the signal can make the shell report the same one twice. Outside of a command the
/// signal does nothing: half a command read and dropped would leave the rest to be taken for the
/// next. A number that ends in `s` is a question about the shell's state: it is answered by a copy of
/// the shell, so that the question changes nothing. The loop's own standard error is /dev/null, so `set -x` shows only what the command does.
const LOOP: &str = r#"trap '[[ -z $__hostler_busy ]] || continue 1000 2>/dev/null' RTMAX
__hostler_n=0 __hostler_busy=
while builtin printf '%s %s\0' "$__hostler_n" "$?" >&8 && __hostler_busy= &&
    IFS= builtin read -r -d '' __hostler_n <&9 && IFS= builtin read -r -d '' __hostler_c <&9
do
    __hostler_busy=1
    case $__hostler_n in
        *s) (builtin eval "$__hostler_c") </dev/null >&6 2>/dev/null 6>&- 7>&- 8>&- 9<&- ;;
        *) { builtin eval "$__hostler_c"; } </dev/null >&7 2>&1 6>&- 7>&- 8>&- 9<&- ;;
    esac
done"#;

/// A report is two small numbers.
const REPORT_BYTES_MAX: usize = 32;

pub(super) struct Shell {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    commands: OwnedFd,
    /// In memory, since the sandbox's disk may be full when it counts.
    state: OwnedFd,
    /// `None` once it was closed: the shell ended or became another program.
    status: Option<OwnedFd>,
    report: Vec<u8>,
    /// The number of the command that was sent last.
    number: u64,
    /// What of it the pipe has not taken yet.
    unsent: Vec<u8>,
}

/// What was found on the status pipe.
pub(super) enum Report {
    NotYet,
    Status(i32),
    /// Not from our loop.
    Nonsense,
}

impl Shell {
    pub(super) fn start(
        places: &Places,
        network: Network,
        output: BorrowedFd<'_>,
        reaper: &Reaper,
    ) -> io::Result<Self> {
        let (commands_end, commands) = pipe_with(PipeFlags::CLOEXEC)?;
        let (status, status_end) = pipe_with(PipeFlags::CLOEXEC)?;
        let state = memfd_create("shell", MemfdFlags::CLOEXEC)?;
        // Each end of a pipe has its own flags: the shell's ends stay blocking.
        rustix::fs::fcntl_setfl(&commands, OFlags::NONBLOCK)?;
        rustix::fs::fcntl_setfl(&status, OFlags::NONBLOCK)?;
        let mut command = Command::new("/bin/bash");
        surround(&mut command, places, network);
        command
            .args(["--noprofile", "--norc", "-c", LOOP])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        give_descriptors(
            &mut command,
            state.as_fd(),
            output,
            status_end.as_fd(),
            commands_end.as_fd(),
        );
        let Started { pid, pidfd } = reaper.spawn(&mut command)?;
        Ok(Self {
            pid,
            pidfd,
            commands,
            state,
            status: Some(status),
            report: Vec::new(),
            number: 0,
            unsent: Vec::new(),
        })
    }

    /// Hands over the next command; [`Shell::send`] moves it into the pipe.
    pub(super) fn give(&mut self, command: &[u8]) {
        self.number += 1;
        self.unsent = [self.number.to_string().as_bytes(), b"\0", command, b"\0"].concat();
    }

    /// Has a copy of the shell write its state; see [`Shell::state`].
    pub(super) fn ask(&mut self, question: &str) -> io::Result<()> {
        rustix::fs::ftruncate(&self.state, 0)?;
        rustix::fs::seek(&self.state, SeekFrom::Start(0))?;
        self.number += 1;
        self.unsent = format!("{}s\0{question}\0", self.number).into_bytes();
        Ok(())
    }

    /// What the shell wrote, unless it is longer than `bytes_max`.
    pub(super) fn state(&self, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
        let mut state = vec![0; bytes_max + 1];
        let mut length = 0;
        while length < state.len() {
            match rustix::io::pread(&self.state, &mut state[length..], length as u64)? {
                0 => break,
                read => length += read,
            }
        }
        state.truncate(length);
        Ok((length <= bytes_max).then_some(state))
    }

    /// What to wait for before calling [`Shell::send`], if anything.
    pub(super) fn unsent(&self) -> Option<BorrowedFd<'_>> {
        (!self.unsent.is_empty()).then(|| self.commands.as_fd())
    }

    pub(super) fn send(&mut self) {
        match rustix::io::write(&self.commands, &self.unsent) {
            Ok(taken) => drop(self.unsent.drain(..taken)),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            // Nobody reads any more; its end tells.
            Err(_) => self.unsent.clear(),
        }
    }

    pub(super) fn status(&self) -> Option<BorrowedFd<'_>> {
        self.status.as_ref().map(AsFd::as_fd)
    }

    /// Reads the status pipe, which anything in the sandbox might have written to.
    pub(super) fn read_report(&mut self) -> Report {
        let Some(status) = &self.status else {
            return Report::NotYet;
        };
        let mut bytes = [0; REPORT_BYTES_MAX];
        match rustix::io::read(status, &mut bytes) {
            Ok(0) => {
                self.status = None;
                return Report::NotYet;
            }
            Ok(length) => self.report.extend_from_slice(&bytes[..length]),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => return Report::Nonsense,
        }
        while let Some(end) = self.report.iter().position(|byte| *byte == 0) {
            let report: Vec<u8> = self.report.drain(..=end).collect();
            let Some((number, status)) = parse_report(&report[..end]) else {
                return Report::Nonsense;
            };
            if number == self.number {
                return Report::Status(status);
            }
        }
        if self.report.len() > REPORT_BYTES_MAX {
            Report::Nonsense
        } else {
            Report::NotYet
        }
    }

    /// Kills the process itself and waits for its end.
    pub(super) fn kill(self, reaper: &Reaper) {
        // It may have ended by itself.
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
        reaper.wait(self.pid);
    }
}

/// What a command finds around it when it starts.
pub(super) fn surround(command: &mut Command, places: &Places, network: Network) {
    command
        .env_clear()
        .env("PATH", SEARCH_PATH)
        .env("HOME", &places.home)
        .env("USER", "root")
        .env("LOGNAME", "root")
        .env("SHELL", "/bin/bash")
        .env("LANG", "C.UTF-8")
        .env("TERM", "dumb")
        .envs(proxy_variables(network))
        .envs(&places.environment)
        .current_dir(&places.workspace);
}

fn parse_report(report: &[u8]) -> Option<(u64, i32)> {
    let (number, status) = std::str::from_utf8(report).ok()?.split_once(' ')?;
    let number = number.strip_suffix('s').unwrap_or(number);
    Some((number.parse().ok()?, status.parse().ok()?))
}

/// The gateway needs no variables; but programs that use a proxy show its reasons for a refusal.
fn proxy_variables(network: Network) -> Vec<(&'static str, String)> {
    let proxy = match network {
        Network::None | Network::Host => return Vec::new(),
        Network::Gateway { .. } => format!("http://{PROXY}"),
    };
    let own = "localhost,127.0.0.1,::1";
    vec![
        ("http_proxy", proxy.clone()),
        ("HTTP_PROXY", proxy.clone()),
        ("https_proxy", proxy.clone()),
        ("HTTPS_PROXY", proxy),
        ("no_proxy", own.to_owned()),
        ("NO_PROXY", own.to_owned()),
    ]
}
