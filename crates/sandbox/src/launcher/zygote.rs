//! The zygote: the resident process that every launcher is a fork of.
//!
//! It is the hidden `sandbox-init` subcommand of the server, which starts it before its first sandbox.
//! What all launches have in common is done here, once: the program is loaded and its addresses are
//! settled, which each sandbox then shares with the others, and the filters of system calls are compiled.
//!
//! It has one thread and reads no order: a byte on its standard input says that there is one, and brings the
//! connection that the order is on. The launcher reads it. So nothing of one sandbox is ever in the memory
//! that another begins with. The zygote ends when its server does. Neither that nor any other end of it
//! touches a sandbox; the server starts another one.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{Mode, OFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::order::{At, Refused};
use super::{launch, refuse};
use crate::inside::Filters;
use crate::limits::LAUNCH_PROCESSES_MAX;
use crate::sys::clone::{Child, Cloned, clone_process};
use crate::sys::descriptors::{
    FIRST_FREE, close_inherited, park_shell_descriptors, replace_standard_streams,
};
use crate::sys::process::exit_now;

struct Zygote {
    /// Where the server says that there is an order.
    orders: OwnedFd,
    /// Where they cannot be made, each launch says so.
    filters: Result<Filters, Refused>,
    launchers: Vec<Child>,
}

/// The whole of `hostler sandbox-init`. Call it first thing in `main`, before any thread or
/// runtime exists: the first process of each sandbox is a copy of this one.
pub fn init_main() -> ExitCode {
    let begun = take_orders().map(|orders| Zygote {
        orders,
        filters: Filters::compile(),
        launchers: Vec::new(),
    });
    // Who reads what it has to say is gone, or never was there.
    match begun.and_then(Zygote::serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Puts the descriptors in order: nothing is open but what the server talks on.
fn take_orders() -> io::Result<OwnedFd> {
    close_inherited()?;
    rustix::process::chdir("/")?;
    park_shell_descriptors()?;
    let orders = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), FIRST_FREE)?;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    let null = rustix::fs::open("/dev/null", flags, Mode::empty())?;
    replace_standard_streams(null.as_fd())?;
    Ok(orders)
}

impl Zygote {
    /// Until the server is gone.
    fn serve(mut self) -> io::Result<()> {
        loop {
            // More would be a server that is not ours.
            let takes_orders = self.launchers.len() < LAUNCH_PROCESSES_MAX;
            let mut waiting: Vec<_> = self
                .launchers
                .iter()
                .map(|launcher| &launcher.pidfd)
                .collect();
            if takes_orders {
                waiting.push(&self.orders);
            }
            let mut waiting: Vec<_> = waiting
                .into_iter()
                .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
                .collect();
            if rustix::event::poll(&mut waiting, None).is_err() {
                continue;
            }
            let is_spoken_to = takes_orders
                && waiting
                    .last()
                    .is_some_and(|orders| !orders.revents().is_empty());
            drop(waiting);
            self.launchers.retain(|launcher| !has_ended(launcher));
            if is_spoken_to {
                match receive_connection(&self.orders)? {
                    Some(host) => self = self.fork(host),
                    None => return Ok(()),
                }
            }
        }
    }

    fn fork(mut self, host: UnixStream) -> Self {
        match clone_process(0, None) {
            Ok(Cloned::Child) => {
                let Self {
                    orders,
                    filters,
                    launchers,
                } = self;
                drop((orders, launchers));
                // Nothing of the launcher may run on into the zygote, not even a panic.
                let _ = catch_unwind(AssertUnwindSafe(|| match filters {
                    Ok(filters) => launch(host, &filters),
                    Err(refused) => refuse(&host, &refused),
                }));
                exit_now(0)
            }
            Ok(Cloned::Parent(child)) => self.launchers.push(child),
            Err(error) => {
                let fork = Err::<(), _>(error).at("fork a launcher");
                if let Err(refused) = fork {
                    refuse(&host, &refused);
                }
            }
        }
        self
    }
}

/// Whether it has ended; if so, it is collected.
fn has_ended(launcher: &Child) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    match waitid(WaitId::PidFd(launcher.pidfd.as_fd()), options) {
        Ok(status) => status.is_some(),
        Err(error) => error == rustix::io::Errno::CHILD,
    }
}

/// The connection that the next order is on. `None`: the server is gone.
fn receive_connection(orders: &OwnedFd) -> io::Result<Option<UnixStream>> {
    let mut word = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(&mut word)];
    let heard = recvmsg(orders, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if heard.bytes == 0 {
        return Ok(None);
    }
    let mut connection = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            connection = descriptors.last();
        }
    }
    let connection = connection.ok_or(io::ErrorKind::InvalidData)?;
    Ok(Some(connection.into()))
}
