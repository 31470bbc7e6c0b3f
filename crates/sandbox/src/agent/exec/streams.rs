//! The streams of a command: a terminal of the sandbox's own, or three pipes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Command, Stdio};

use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::exec_wire::{FromAgent, TerminalSize};
use crate::limits::EXEC_FRAME_BYTES_MAX;

/// Our ends. None of them blocks.
pub(super) struct Streams {
    /// `None`: nobody takes input any more, or none comes.
    pub(super) input: Option<OwnedFd>,
    pub(super) outputs: Vec<Output>,
    /// To change its size; it is there as long as its output is.
    is_terminal: bool,
}

pub(super) struct Output {
    stream: OwnedFd,
    is_error: bool,
}

/// What a stream had.
pub(super) enum Read {
    Some(FromAgent),
    NothingNow,
    /// Nothing comes any more.
    Ended,
}

impl Streams {
    pub(super) fn terminal(command: &mut Command, size: TerminalSize) -> io::Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags)?;
        grantpt(&ours)?;
        unlockpt(&ours)?;
        let theirs = ioctl_tiocgptpeer(&ours, flags)?;
        rustix::fs::fcntl_setfl(&ours, OFlags::NONBLOCK)?;
        resize(ours.as_fd(), size)?;
        command
            .stdin(Stdio::from(theirs.try_clone()?))
            .stdout(Stdio::from(theirs.try_clone()?))
            .stderr(Stdio::from(theirs));
        Ok(Self {
            input: Some(ours.try_clone()?),
            outputs: vec![Output {
                stream: ours,
                is_error: false,
            }],
            is_terminal: true,
        })
    }

    pub(super) fn pipes(command: &mut Command) -> io::Result<Self> {
        let (their_input, input) = pipe_with(PipeFlags::CLOEXEC)?;
        let (output, their_output) = pipe_with(PipeFlags::CLOEXEC)?;
        let (error, their_error) = pipe_with(PipeFlags::CLOEXEC)?;
        for ours in [&input, &output, &error] {
            // Each end of a pipe has its own flags: theirs stay blocking.
            rustix::fs::fcntl_setfl(ours, OFlags::NONBLOCK)?;
        }
        command
            .stdin(Stdio::from(their_input))
            .stdout(Stdio::from(their_output))
            .stderr(Stdio::from(their_error));
        let output = Output {
            stream: output,
            is_error: false,
        };
        let error = Output {
            stream: error,
            is_error: true,
        };
        Ok(Self {
            input: Some(input),
            outputs: vec![output, error],
            is_terminal: false,
        })
    }

    /// Of a command without a terminal it means nothing.
    pub(super) fn resize(&self, size: TerminalSize) {
        if self.is_terminal
            && let Some(output) = self.outputs.first()
        {
            // A size is a wish: what it is used for is the programs' business.
            let _ = resize(output.stream.as_fd(), size);
        }
    }
}

impl Output {
    /// Whether it is what nobody waits for.
    pub(super) fn is_error(&self) -> bool {
        self.is_error
    }

    pub(super) fn read(&self) -> Read {
        let mut bytes = vec![0; EXEC_FRAME_BYTES_MAX];
        match rustix::io::read(&self.stream, &mut bytes) {
            // A terminal that nobody has open any more answers with an error.
            Ok(0) | Err(Errno::IO) => Read::Ended,
            Ok(length) => {
                bytes.truncate(length);
                Read::Some(match self.is_error {
                    true => FromAgent::Error(bytes),
                    false => FromAgent::Output(bytes),
                })
            }
            Err(Errno::AGAIN | Errno::INTR) => Read::NothingNow,
            Err(_) => Read::Ended,
        }
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn resize(terminal: BorrowedFd<'_>, size: TerminalSize) -> io::Result<()> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    Ok(tcsetwinsize(terminal, size)?)
}
