//! Receives the sockets of a sandbox's gateway, and believes nothing about them.
//!
//! A sandbox that was taken over could answer with any descriptor it has. One that is not a
//! listening TCP or bound UDP socket of another network than the server's own is refused, and
//! all that came with it.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SocketType,
    ipproto, recvmsg, sockopt,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use crate::error::SandboxError;
use crate::limits::{GATEWAY_SOCKETS_MAX, SOCKETS_ANSWER_BYTES_MAX};
use crate::sys::sockets::network_cookie;
use crate::wire::{Response, SocketRole, frame_length};

/// Behind these a gateway meets what a sandbox sends to other addresses. None of them blocks now,
/// but the sandbox has them too and can change that at any moment.
#[derive(Debug)]
pub struct GatewaySockets {
    /// An accepted connection's own address is the one that a program inside asked for.
    pub intercepting: Vec<TcpListener>,
    /// Programs that know of proxies connect to this one.
    pub proxy: TcpListener,
    /// Questions for the addresses of names.
    pub names: UdpSocket,
}

/// Descriptors that may be anything. To close one can take as long as a stranger likes, so it is
/// never done on an async thread.
struct Received(Vec<OwnedFd>);

impl Drop for Received {
    fn drop(&mut self) {
        let descriptors = std::mem::take(&mut self.0);
        if !descriptors.is_empty() {
            drop(tokio::task::spawn_blocking(move || drop(descriptors)));
        }
    }
}

/// Reads one answer with what comes beside it. `None`: the sandbox was made without a gateway.
pub(super) async fn receive(stream: &UnixStream) -> Result<Option<GatewaySockets>, SandboxError> {
    let mut bytes = Vec::new();
    let mut received = Received(Vec::new());
    loop {
        let mut read = || read_part(stream, &mut bytes, &mut received.0);
        let part = stream.async_io(Interest::READABLE, &mut read).await;
        let part = part.map_err(|error| SandboxError::protocol(format!("its sockets: {error}")))?;
        if let Some(response) = whole_answer(&bytes)? {
            return match response {
                Response::Sockets { roles } if roles.is_empty() && received.0.is_empty() => {
                    Ok(None)
                }
                Response::Sockets { roles } => check(&roles, received).map(Some),
                Response::Refused { reason } => Err(SandboxError::Refused {
                    reason: reason.chars().take(500).collect(),
                }),
                Response::Pong { .. }
                | Response::Started
                | Response::Done(_)
                | Response::Resting(_)
                | Response::Executing
                | Response::Unknown => Err(SandboxError::protocol(
                    "an answer to a question that was not asked",
                )),
            };
        }
        if part == 0 {
            return Err(SandboxError::lost("it ended before it gave its sockets"));
        }
    }
}

fn read_part(
    stream: &UnixStream,
    bytes: &mut Vec<u8>,
    descriptors: &mut Vec<OwnedFd>,
) -> io::Result<usize> {
    let mut part = [0; SOCKETS_ANSWER_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(GATEWAY_SOCKETS_MAX))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(&mut part)];
    let message = recvmsg(stream, &mut parts, &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    for found in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(found) = found {
            descriptors.extend(found);
        }
    }
    let odd = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    if message.flags.contains(ReturnFlags::CTRUNC) || descriptors.len() > GATEWAY_SOCKETS_MAX {
        return Err(odd("it gives more of them than there can be"));
    }
    bytes.extend_from_slice(&part[..message.bytes]);
    if bytes.len() > SOCKETS_ANSWER_BYTES_MAX {
        return Err(odd("their description is too long"));
    }
    Ok(message.bytes)
}

/// `None` as long as there is more to come.
fn whole_answer(bytes: &[u8]) -> Result<Option<Response>, SandboxError> {
    let Some((header, body)) = bytes.split_at_checked(4) else {
        return Ok(None);
    };
    let length = frame_length(header, SOCKETS_ANSWER_BYTES_MAX);
    let length = length.map_err(|error| SandboxError::protocol(error.to_string()))?;
    if body.len() < length {
        return Ok(None);
    }
    let response = serde_json::from_slice(body);
    response.map_err(|error| SandboxError::protocol(error.to_string()))
}

fn check(roles: &[SocketRole], mut received: Received) -> Result<GatewaySockets, SandboxError> {
    let odd = |reason: &str| SandboxError::protocol(format!("its sockets: {reason}"));
    if roles.len() != received.0.len() {
        return Err(odd("there are not as many as it says"));
    }
    for (role, socket) in roles.iter().zip(&received.0) {
        let kind = match role {
            SocketRole::Intercepting | SocketRole::Proxy => Kind::Listening,
            SocketRole::Names => Kind::Datagrams,
        };
        examine(socket, kind).map_err(|error| odd(&error.to_string()))?;
    }
    // What goes from here on is known to close at once.
    let (mut intercepting, mut proxy, mut names) = (Vec::new(), None, None);
    for (role, socket) in roles.iter().zip(std::mem::take(&mut received.0)) {
        let taken = match role {
            SocketRole::Intercepting => {
                intercepting.push(TcpListener::from(socket));
                None
            }
            SocketRole::Proxy => proxy.replace(TcpListener::from(socket)).map(drop),
            SocketRole::Names => names.replace(UdpSocket::from(socket)).map(drop),
        };
        if taken.is_some() {
            return Err(odd("two have the same role"));
        }
    }
    match (intercepting.is_empty(), proxy, names) {
        (false, Some(proxy), Some(names)) => Ok(GatewaySockets {
            intercepting,
            proxy,
            names,
        }),
        (true, _, _) | (_, None, _) | (_, _, None) => Err(odd("one is missing")),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Listening,
    Datagrams,
}

/// What the kernel says that it is, and that nothing that reaches it comes from our own network.
fn examine(socket: &OwnedFd, kind: Kind) -> io::Result<()> {
    let odd = |reason| Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    let domain = sockopt::socket_domain(socket)?;
    if domain != AddressFamily::INET && domain != AddressFamily::INET6 {
        return odd("one is not of the internet");
    }
    let expected = match kind {
        Kind::Listening => (SocketType::STREAM, Some(ipproto::TCP), true),
        Kind::Datagrams => (SocketType::DGRAM, Some(ipproto::UDP), false),
    };
    let found = (
        sockopt::socket_type(socket)?,
        sockopt::socket_protocol(socket)?,
        sockopt::socket_acceptconn(socket)?,
    );
    if found != expected {
        return odd("one is of another kind than its role needs");
    }
    if socket2::SockRef::from(socket)
        .local_addr()?
        .as_socket()
        .is_none_or(|at| at.port() == 0)
    {
        return odd("one is not bound");
    }
    let ours = UdpSocket::bind("127.0.0.1:0")?;
    if network_cookie(socket.as_fd())? == network_cookie(ours.as_fd())? {
        return odd("one belongs to the server's own network");
    }
    rustix::io::ioctl_fionbio(socket, true)?;
    Ok(())
}
