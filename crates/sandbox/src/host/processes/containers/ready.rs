//! The wait for a container's first process to be ready. It comes to a socket that the host
//! made, since there is no pipe through an engine.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tokio::io::AsyncReadExt;
use tokio::net::UnixListener;
use tokio::time::timeout;

use super::super::super::state_dir::open_directory;
use crate::container::{AgentAnswer, AgentOrder, ORDER_FILE, READY_SOCKET};
use crate::limits::{LAUNCH_ANSWER_BYTES_MAX, LAUNCH_TIME_MAX};

pub(super) struct Ready(UnixListener);

/// Nothing of the sandbox runs yet, so what is written here is read by its first process only.
pub(super) fn make_talk_directory(
    directory: &Path,
    order: &AgentOrder,
) -> io::Result<std::os::unix::net::UnixListener> {
    make_directory(directory)?;
    fs::write(directory.join(ORDER_FILE), serde_json::to_vec(order)?)?;
    // Through the open directory, since a socket's own path has room for 107 bytes only.
    let handle = open_directory(directory)?;
    let path = format!("/proc/self/fd/{}/{READY_SOCKET}", handle.as_raw_fd());
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// One that is there is as good.
pub(super) fn make_directory(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

impl Ready {
    pub(super) fn listen(listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        Ok(Self(UnixListener::from_std(listener)?))
    }

    /// With the id that the first process has on this machine, if it can be seen from here.
    pub(super) async fn answer(&self) -> io::Result<(AgentAnswer, Option<i32>)> {
        let seconds = LAUNCH_TIME_MAX.as_secs();
        let late = || io::Error::other(format!("not ready within {seconds} s"));
        timeout(LAUNCH_TIME_MAX, self.first_answer())
            .await
            .unwrap_or_else(|_| Err(late()))
    }

    async fn first_answer(&self) -> io::Result<(AgentAnswer, Option<i32>)> {
        let (stream, _) = self.0.accept().await?;
        let pid = stream.peer_cred()?.pid().filter(|pid| *pid > 0);
        let mut text = Vec::new();
        let mut answer = stream.take(LAUNCH_ANSWER_BYTES_MAX as u64);
        answer.read_to_end(&mut text).await?;
        let answer = serde_json::from_slice(&text)
            .map_err(|_| io::Error::other("its first process ended before it was ready"))?;
        Ok((answer, pid))
    }
}
