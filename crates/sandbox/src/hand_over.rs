//! Connections that go from one process to another one over a unix socket.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use crate::limits::KEEPER_START_TIME_MAX;

/// Waits for a socket to get its name, which it does when it takes connections. The containers of
/// a pod are started in no order that one could count on, and are not ready when they run.
pub(crate) fn connect_when_there(path: &Path) -> io::Result<UnixStream> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let watch = inotify::init(inotify::CreateFlags::CLOEXEC)?;
    inotify::add_watch(&watch, directory, inotify::WatchFlags::MOVED_TO)?;
    let limit = Timespec::try_from(KEEPER_START_TIME_MAX).ok();
    loop {
        match UnixStream::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            connected => return connected,
        }
        if poll(&mut [PollFd::new(&watch, PollFlags::IN)], limit.as_ref())? == 0 {
            return Err(io::Error::other("the keeper of this pod does not start"));
        }
        // The events say no more than that something happened.
        rustix::io::read(&watch, &mut [0; 1024])?;
    }
}

/// What a connection comes with: a message has to have a byte.
const HERE: &[u8] = b"c";

pub(crate) fn hand_over(to: &UnixStream, connection: &UnixStream) -> io::Result<()> {
    let descriptors = [connection.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !beside.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let parts = [IoSlice::new(HERE)];
    match sendmsg(to, &parts, &mut beside, SendFlags::NOSIGNAL)? {
        1 => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// `Ok(None)`: nobody is left who could give one.
pub(crate) fn take_over(from: &UnixStream) -> io::Result<Option<UnixStream>> {
    let mut byte = [0; 1];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut byte)];
    let message = recvmsg(from, &mut parts, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    if message.bytes == 0 {
        return Ok(None);
    }
    let mut connection = None;
    for found in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(mut descriptors) = found {
            connection = descriptors.next();
        }
    }
    connection
        .map(|connection| Some(UnixStream::from(connection)))
        .ok_or_else(|| io::Error::other("a message without a connection"))
}
