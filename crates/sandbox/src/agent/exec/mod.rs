//! Commands of the operator, and programs that serve the host: each runs beside the shell, confined as
//! everything here, with streams that its connection carries. The end of the connection is its end.
//!
//! One thread moves the bytes of one command and holds no more of them than the streams of one
//! frame each: who floods one fills it and waits, and so does nobody else.

mod allowance;
mod relay;
mod streams;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use self::allowance::Allowance;
use self::relay::{Parted, Relay};
use self::streams::Streams;
use super::Places;
use super::process_tree::end_session;
use super::reaper::{End, Reaper, Started};
use super::shell::surround;
use crate::exec_wire::{ExecEnd, FromAgent, Terminal};
use crate::isolation::Network;
use crate::limits::{EXEC_FRAME_BYTES_MAX, EXECS_MAX, SERVER_ERROR_BYTES_PER_SECOND, SERVERS_MAX};
use crate::sys::command::{StandardInput, lead_session};

/// What shells answer for a program that is not there, and for one that cannot be run.
const NOT_FOUND: u8 = 127;
const NOT_RUN: u8 = 126;

/// A terminal has a name of few letters.
const KIND_BYTES_MAX: usize = 64;

pub(super) struct Execs {
    places: Places,
    network: Network,
    reaper: Arc<Reaper>,
    of_operator: AtomicUsize,
    serving: AtomicUsize,
}

/// What runs, and what it finds.
pub(super) struct Order {
    pub(super) words: Vec<String>,
    /// Beside those that everything here has.
    pub(super) variables: Vec<(String, String)>,
    pub(super) terminal: Option<Terminal>,
}

/// Whom a command is for: those of an agent leave the operator's places alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Operator,
    Serving,
}

/// One of the commands that may run at once; given back on drop.
pub(super) struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Execs {
    pub(super) fn new(places: Places, network: Network, reaper: Arc<Reaper>) -> Self {
        Self {
            places,
            network,
            reaper,
            of_operator: AtomicUsize::new(0),
            serving: AtomicUsize::new(0),
        }
    }

    /// A place for one more, or why there is none.
    pub(super) fn take_turn(&self, purpose: Purpose) -> Result<Turn<'_>, String> {
        let (running, most, what) = match purpose {
            Purpose::Operator => (&self.of_operator, EXECS_MAX, "commands of the operator"),
            Purpose::Serving => (&self.serving, SERVERS_MAX, "servers"),
        };
        let before = running.fetch_add(1, Ordering::AcqRel);
        let turn = Turn(running);
        if before < most {
            Ok(turn)
        } else {
            Err(format!("{most} {what} run there already"))
        }
    }

    /// Until the command has ended or the client is gone. A command that does not start tells it
    /// as a shell would.
    pub(super) fn run(&self, client: &UnixStream, purpose: Purpose, order: &Order) {
        match self.start(order) {
            Ok((started, streams)) => {
                let pid = started.pid;
                // An operator reads what he has asked for.
                let errors = match purpose {
                    Purpose::Operator => None,
                    Purpose::Serving => Some(Allowance::new(SERVER_ERROR_BYTES_PER_SECOND)),
                };
                self.attend(started, |process| {
                    Relay::new(client, process, streams, errors)
                });
                self.reaper.visitors().forget(pid);
            }
            Err(error) => {
                let is_absent = error.kind() == io::ErrorKind::NotFound;
                let code = if is_absent { NOT_FOUND } else { NOT_RUN };
                let name = order.words.first().map_or("/bin/bash", String::as_str);
                let mut said = format!("hostler: {name} cannot be run: {error}\n").into_bytes();
                said.truncate(EXEC_FRAME_BYTES_MAX);
                relay::say(client, &FromAgent::Error(said));
                relay::say(client, &FromAgent::Ended(ExecEnd::Exit(code)));
            }
        }
    }

    fn start(&self, order: &Order) -> io::Result<(Started, Streams)> {
        let mut command = match order.words.as_slice() {
            [] => Command::new("/bin/bash"),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments);
                command
            }
        };
        surround(&mut command, &self.places, self.network);
        command.envs(order.variables.iter().map(|(name, value)| (name, value)));
        let streams = match &order.terminal {
            Some(terminal) => {
                let kind = &terminal.kind;
                if !kind.is_empty() && kind.len() <= KIND_BYTES_MAX {
                    command.env("TERM", kind);
                }
                lead_session(&mut command, StandardInput::Terminal);
                Streams::terminal(&mut command, terminal.size)?
            }
            None => {
                lead_session(&mut command, StandardInput::Pipe);
                Streams::pipes(&mut command)?
            }
        };
        Ok((self.reaper.spawn_visitor(&mut command)?, streams))
    }

    fn attend<'c>(&self, started: Started, relay: impl FnOnce(OwnedFd) -> Relay<'c>) {
        let Started { pid, pidfd } = started;
        let mut relay = relay(pidfd);
        match relay.run() {
            Parted::Process => {
                let end = told(self.reaper.wait(pid));
                relay.finish(&FromAgent::Ended(end));
            }
            Parted::Client => {
                // A terminal that is closed is what programs expect to end of.
                drop(relay);
                end_session(pid);
                self.reaper.wait(pid);
            }
        }
    }
}

fn told(end: End) -> ExecEnd {
    match end {
        End::Exit(code) => ExecEnd::Exit(code.to_le_bytes()[0]),
        End::Signal(number) => ExecEnd::Signal(number.to_le_bytes()[0]),
    }
}
