//! Where the agent's connections come from.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};

use crate::hand_over::take_over;

pub(crate) enum Door {
    /// They come to a socket that has a name.
    Socket(UnixListener),
    /// The keeper of the pod hands them over.
    Keeper(UnixStream),
}

impl Door {
    /// Waits for the next one. A keeper that is gone is an error: nobody else can come.
    pub(super) fn accept(&self) -> io::Result<UnixStream> {
        match self {
            Self::Socket(listener) => listener.accept().map(|(stream, _)| stream),
            Self::Keeper(keeper) => {
                take_over(keeper)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
            }
        }
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Socket(listener) => listener.as_fd(),
            Self::Keeper(keeper) => keeper.as_fd(),
        }
    }
}

impl From<UnixListener> for Door {
    fn from(listener: UnixListener) -> Self {
        Self::Socket(listener)
    }
}
