//! Where an agent listens, as the host finds it. Nothing here waits for who is there, and where
//! the commands of a sandbox could listen in place of their agent, nobody but the agent is
//! talked to.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use tokio::net::UnixStream;

use super::processes::PodLink;
use super::state_dir::open_directory;
use crate::launcher::SOCKET_NAME;

pub(super) enum AgentSocket {
    OnDisk(SocketFile),
    InPod(PodLink),
}

/// The directory with the socket, and whose it has to be.
pub(super) struct SocketFile {
    directory: OwnedFd,
    /// The id of the first process, where others can put their own socket in its place.
    first_process: Option<i32>,
}

/// Who is found there without a wait.
pub(super) enum Found {
    /// It does not block.
    Connected(BlockingStream),
    /// Somebody listens, and has no room for one more.
    Busy,
}

impl AgentSocket {
    /// Where nobody but the agent and the host can make a socket.
    pub(super) fn in_directory(directory: &Path) -> io::Result<Self> {
        Self::of_process(directory, None)
    }

    /// Where commands can make one: only who listens as this process is the agent.
    pub(super) fn of_process(directory: &Path, first_process: Option<i32>) -> io::Result<Self> {
        Ok(Self::OnDisk(SocketFile {
            directory: open_directory(directory)?,
            first_process,
        }))
    }

    pub(super) fn in_pod(link: PodLink) -> Self {
        Self::InPod(link)
    }

    pub(super) async fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::OnDisk(socket) => socket.connect().await,
            Self::InPod(link) => link.agent().await,
        }
    }

    /// Of what is on this machine.
    pub(super) fn connect_at_once(&self) -> io::Result<Found> {
        match self {
            Self::OnDisk(socket) => socket.connect_at_once(),
            Self::InPod(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// That the files are in, if they are not on this machine.
    pub(super) fn pod(&self) -> Option<&PodLink> {
        match self {
            Self::OnDisk(_) => None,
            Self::InPod(link) => Some(link),
        }
    }
}

impl SocketFile {
    /// Through the open directory, since a socket's own path has room for 107 bytes only.
    async fn connect(&self) -> io::Result<UnixStream> {
        let socket = self.locate()?;
        let stream = UnixStream::connect(socket.path()).await?;
        let listening = stream.peer_cred()?.pid();
        match self.first_process {
            Some(expected) if listening != Some(expected) => {
                // What it has sent already can make this wait.
                drop(tokio::task::spawn_blocking(move || drop(stream)));
                Err(io::Error::other(
                    "somebody else than its agent listens there",
                ))
            }
            Some(_) | None => Ok(stream),
        }
    }

    /// A connection that blocks would wait as long as a stranger leaves his queue full.
    fn connect_at_once(&self) -> io::Result<Found> {
        let located = self.locate()?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match connect(&socket, &SocketAddrUnix::new(located.path())?) {
            Ok(()) => Ok(Found::Connected(socket.into())),
            Err(Errno::AGAIN) => Ok(Found::Busy),
            Err(error) => Err(error.into()),
        }
    }

    /// Never through a link: what runs in a container can change the names in its directory,
    /// and one of them could lead to the agent of another sandbox.
    fn locate(&self) -> io::Result<Located> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let socket = openat2(&self.directory, SOCKET_NAME, flags, Mode::empty(), resolve)?;
        let kind = FileType::from_raw_mode(fstat(&socket)?.st_mode);
        if kind == FileType::Socket {
            Ok(Located(socket))
        } else {
            Err(io::Error::other(
                "what should be its socket is another file",
            ))
        }
    }
}

/// A socket that is where it should be, and nothing else.
struct Located(OwnedFd);

impl Located {
    fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.0.as_raw_fd()).into()
    }
}
