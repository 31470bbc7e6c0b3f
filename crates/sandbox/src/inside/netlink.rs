//! Messages to the kernel about the sandbox's own network, built and sent by hand: a few
//! fixed ones, for which no library is worth its size.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send,
    socket_with, sockopt,
};

use crate::limits::NETLINK_ANSWER_BYTES_MAX;

pub(super) const CREATE: u16 = libc::NLM_F_CREATE as u16;
pub(super) const APPEND: u16 = libc::NLM_F_APPEND as u16;

const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACKNOWLEDGE: u16 = libc::NLM_F_ACK as u16;
const ERROR: u16 = libc::NLMSG_ERROR as u16;
const NESTED: u16 = libc::NLA_F_NESTED as u16;
const HEADER_BYTES: usize = 16;
/// The kernel answers before the request returns; this only keeps a surprise from being a hang.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

pub(super) struct Netlink(OwnedFd);

/// One message, or several in a row.
#[derive(Default)]
pub(super) struct Messages {
    bytes: Vec<u8>,
    answers: usize,
}

/// A message that is being written, or a nest of attributes in it.
pub(super) struct Attributes<'a>(&'a mut Vec<u8>);

impl Netlink {
    pub(super) fn open(protocol: Option<Protocol>) -> io::Result<Self> {
        let kind = SocketType::RAW;
        let socket = socket_with(AddressFamily::NETLINK, kind, SocketFlags::CLOEXEC, protocol)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(ANSWER_TIME_MAX))?;
        Ok(Self(socket))
    }

    /// Sends the messages and waits until each of them was acknowledged.
    pub(super) fn exchange(&self, messages: &Messages) -> io::Result<()> {
        send(&self.0, &messages.bytes, SendFlags::empty())?;
        let mut answers = 0;
        let mut buffer = [0; NETLINK_ANSWER_BYTES_MAX];
        while answers < messages.answers {
            let (length, _) = recv(&self.0, &mut buffer[..], RecvFlags::empty())?;
            answers += acknowledgements(&buffer[..length])?;
        }
        Ok(())
    }
}

/// How many requests these answers acknowledge; an error if one of them is refused.
fn acknowledgements(mut answers: &[u8]) -> io::Result<usize> {
    let malformed = || io::Error::from(io::ErrorKind::InvalidData);
    let mut count = 0;
    while !answers.is_empty() {
        let length = answers.first_chunk().ok_or_else(malformed)?;
        let length = u32::from_ne_bytes(*length) as usize;
        let answer = answers.get(..length).ok_or_else(malformed)?;
        let kind = answer.get(4..6).ok_or_else(malformed)?;
        if kind == ERROR.to_ne_bytes() {
            let status = answer.get(HEADER_BYTES..).and_then(<[u8]>::first_chunk);
            match i32::from_ne_bytes(*status.ok_or_else(malformed)?) {
                0 => count += 1,
                error => return Err(io::Error::from_raw_os_error(error.saturating_neg())),
            }
        }
        answers = answers.get(padded(length)..).unwrap_or_default();
    }
    Ok(count)
}

impl Messages {
    /// Adds a message with a header of its family's own kind, to be acknowledged.
    pub(super) fn add(
        &mut self,
        kind: u16,
        flags: u16,
        family_header: &[u8],
        write: impl FnOnce(&mut Attributes<'_>),
    ) {
        self.answers += 1;
        self.put(kind, flags | ACKNOWLEDGE, family_header, write);
    }

    /// Adds one that only marks a place and is not acknowledged.
    pub(super) fn mark(&mut self, kind: u16, family_header: &[u8]) {
        self.put(kind, 0, family_header, |_| {});
    }

    fn put(
        &mut self,
        kind: u16,
        flags: u16,
        family_header: &[u8],
        write: impl FnOnce(&mut Attributes<'_>),
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes
            .extend_from_slice(&(flags | REQUEST).to_ne_bytes());
        // A sequence number and a sender, which nobody needs here.
        self.bytes.extend_from_slice(&[0; 8]);
        self.bytes.extend_from_slice(family_header);
        write(&mut Attributes(&mut self.bytes));
        let length = (self.bytes.len() - start) as u32;
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }
}

impl Attributes<'_> {
    pub(super) fn put(&mut self, kind: u16, value: &[u8]) {
        self.write(kind, |bytes| bytes.extend_from_slice(value));
    }

    /// A number in network order, as netfilter wants its own.
    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.put(kind, &value.to_be_bytes());
    }

    pub(super) fn text(&mut self, kind: u16, value: &str) {
        self.write(kind, |bytes| {
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
        });
    }

    pub(super) fn nest(&mut self, kind: u16, write: impl FnOnce(&mut Attributes<'_>)) {
        self.write(kind | NESTED, |bytes| write(&mut Attributes(bytes)));
    }

    fn write(&mut self, kind: u16, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.extend_from_slice(&[0; 2]);
        self.0.extend_from_slice(&kind.to_ne_bytes());
        write(self.0);
        let length = (self.0.len() - start) as u16;
        self.0[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        let end = start + padded(length.into());
        self.0.resize(end, 0);
    }
}

/// Everything in these messages starts at a multiple of four.
fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}
