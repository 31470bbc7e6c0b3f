//! The pipes of the shell: what to wait for, and what came out of the common one.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};

use super::calls::Call;
use super::collector::Collector;
use super::shell::Shell;
use crate::limits::BACKGROUND_OUTPUT_BYTES_MAX;

/// What is read at once.
pub(super) const READ_BYTES: usize = 64 << 10;

/// What jobs wrote between two commands.
#[derive(Default)]
pub(super) struct Background {
    bytes: Vec<u8>,
    dropped: u64,
}

/// Takes what is in the pipe now. A background job may write for ever: what comes after this
/// moment is for the next command.
pub(super) fn drain_pipe(output: &OwnedFd, collector: &mut Collector<'_>) {
    let mut left = rustix::io::ioctl_fionread(output).unwrap_or(0) as usize;
    let mut buffer = vec![0; READ_BYTES];
    while left > 0 {
        let wanted = left.min(buffer.len());
        match rustix::io::read(output, &mut buffer[..wanted]) {
            Ok(length) if length > 0 => {
                collector.push(&buffer[..length]);
                left -= length;
            }
            Ok(_) | Err(_) => return,
        }
    }
}

/// What the owner of the shell waited for came, or some of it.
#[derive(Default)]
pub(super) struct Ready {
    pub(super) output: bool,
    pub(super) ended: bool,
    pub(super) status: bool,
    pub(super) commands: bool,
    pub(super) cancelled: bool,
}

impl Ready {
    pub(super) fn wait(
        shell: &Shell,
        output: &OwnedFd,
        call: Option<&Call>,
        left: Duration,
    ) -> Self {
        let readable = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let mut fds = vec![readable(output.as_fd()), readable(shell.pidfd.as_fd())];
        fds.extend(shell.status().map(readable));
        if let Some(commands) = shell.unsent() {
            fds.push(PollFd::from_borrowed_fd(commands, PollFlags::OUT));
        }
        if let Some(call) = call {
            fds.push(readable(call.cancellation()));
        }
        let left = Timespec::try_from(left).ok();
        if rustix::event::poll(&mut fds, left.as_ref()).is_err() {
            return Self::default();
        }
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let mut next = || ready.next().unwrap_or(false);
        Self {
            output: next(),
            ended: next(),
            status: shell.status().is_some() && next(),
            commands: shell.unsent().is_some() && next(),
            cancelled: call.is_some() && next(),
        }
    }
}

impl Background {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = BACKGROUND_OUTPUT_BYTES_MAX - self.bytes.len();
        let kept = bytes.len().min(room);
        self.bytes.extend_from_slice(&bytes[..kept]);
        self.dropped += (bytes.len() - kept) as u64;
    }

    pub(super) fn show(&mut self, collector: &mut Collector<'_>) {
        let Self { bytes, dropped } = std::mem::take(self);
        collector.push(&bytes);
        if dropped > 0 {
            let note = format!("\n[{dropped} bytes of output of background jobs were dropped]\n");
            collector.push(note.as_bytes());
        }
    }
}
