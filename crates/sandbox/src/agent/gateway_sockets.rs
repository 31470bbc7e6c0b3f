//! The sockets behind which the gateway is. They are kept for the sandbox's life, and each server
//! that comes and asks is given them: the connections that wait in them are not lost with it.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use socket2::Socket;

use crate::limits::{GATEWAY_SOCKETS_MAX, RESPONSE_BYTES_MAX};
use crate::wire::{Response, SocketRole, encode};

/// None at all in a sandbox without a gateway.
#[derive(Debug, Default)]
pub(crate) struct GatewaySockets {
    /// Where connections to any address arrive.
    pub(crate) intercepting: Vec<Socket>,
    pub(crate) proxy: Option<Socket>,
    pub(crate) names: Option<Socket>,
}

impl GatewaySockets {
    fn all(&self) -> Vec<(SocketRole, &Socket)> {
        let intercepting = self.intercepting.iter();
        let intercepting = intercepting.map(|socket| (SocketRole::Intercepting, socket));
        let proxy = self.proxy.iter().map(|socket| (SocketRole::Proxy, socket));
        let names = self.names.iter().map(|socket| (SocketRole::Names, socket));
        intercepting.chain(proxy).chain(names).collect()
    }

    /// Answers with the roles of the sockets, and the sockets themselves beside it.
    pub(super) fn give(&self, stream: &UnixStream) -> io::Result<()> {
        let sockets = self.all();
        let roles = sockets.iter().map(|(role, _)| *role).collect();
        let frame = encode(&Response::Sockets { roles }, RESPONSE_BYTES_MAX)?;
        let descriptors: Vec<_> = sockets.iter().map(|(_, socket)| socket.as_fd()).collect();
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GATEWAY_SOCKETS_MAX))];
        let mut beside = SendAncillaryBuffer::new(&mut space);
        if !beside.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let parts = [IoSlice::new(&frame)];
        let sent = sendmsg(stream, &parts, &mut beside, SendFlags::NOSIGNAL)?;
        if sent == frame.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }
}
