//! What a client in a sandbox sends and reads, byte by byte, so that it can send anything.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

/// Far more than anything here takes: running into it is a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn patiently<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("nothing may hang")
}

/// An HTTP answer as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

pub(crate) async fn connect(address: SocketAddr) -> TcpStream {
    patiently(TcpStream::connect(address)).await.unwrap()
}

/// Sends bytes on a connection of its own and reads one answer: None if there is none.
pub(crate) async fn ask(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Option<Reply> {
    let mut stream = connect(address).await;
    // A refusal may come before all was written.
    _ = patiently(stream.write_all(bytes.as_ref())).await;
    reply(&mut stream).await
}

/// Reads one answer, with a body of known length, in chunks, or up to the end.
pub(crate) async fn reply(stream: &mut TcpStream) -> Option<Reply> {
    patiently(read_reply(stream)).await.ok()
}

async fn read_reply(stream: &mut TcpStream) -> io::Result<Reply> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
    let status = status.ok_or(io::ErrorKind::InvalidData)?;
    let mut reply = Reply {
        status,
        head,
        body: Vec::new(),
    };
    if let Some(length) = reply.header("content-length") {
        reply.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut reply.body).await?;
    } else if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = chunks(stream).await?;
    }
    Ok(reply)
}

async fn chunks(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(stream.read_u8().await?);
        }
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        let length = usize::from_str_radix(&text, 16).map_err(io::Error::other)?;
        let mut chunk = vec![0; length + 2];
        stream.read_exact(&mut chunk).await?;
        body.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return Ok(body);
        }
    }
}

/// All that comes until the end, and whether the end was a proper one.
pub(crate) async fn rest(stream: &mut TcpStream) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let read = patiently(stream.read_to_end(&mut bytes)).await;
    (bytes, read.is_ok())
}

/// A TLS 1.3 hello as OpenSSL's clients write it, with or without a server name.
pub(crate) fn hello(server_name: Option<&str>) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = server_name {
        let name = name.as_bytes();
        let mut entry = vec![0];
        entry.extend((name.len() as u16).to_be_bytes());
        entry.extend(name);
        let mut list = (entry.len() as u16).to_be_bytes().to_vec();
        list.extend(entry);
        extension(&mut extensions, 0, &list);
    }
    extension(&mut extensions, 10, &[0, 2, 0, 29]);
    extension(&mut extensions, 13, &[0, 4, 4, 3, 8, 4]);
    extension(&mut extensions, 43, &[2, 3, 4]);
    let mut share = vec![0, 36, 0, 29, 0, 32];
    share.extend([9; 32]);
    extension(&mut extensions, 51, &share);
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.extend([0, 0, 4, 0x13, 1, 0x13, 2, 1, 0]);
    body.extend((extensions.len() as u16).to_be_bytes());
    body.extend(extensions);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    let mut record = vec![0x16, 3, 1];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

fn extension(extensions: &mut Vec<u8>, kind: u16, data: &[u8]) {
    extensions.extend(kind.to_be_bytes());
    extensions.extend((data.len() as u16).to_be_bytes());
    extensions.extend(data);
}

pub(crate) const TYPE_A: u16 = 1;

/// A question for a name, each label as it is.
pub(crate) fn question(labels: &[&[u8]], kind: u16) -> Vec<u8> {
    let mut message = vec![0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in labels {
        message.push(label.len() as u8);
        message.extend(*label);
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

pub(crate) fn question_for(name: &str, kind: u16) -> Vec<u8> {
    let labels: Vec<&[u8]> = name.split('.').map(str::as_bytes).collect();
    question(&labels, kind)
}

/// Sends a datagram to a name server and reads the answer.
pub(crate) async fn ask_dns(server: SocketAddr, message: &[u8]) -> Vec<u8> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(message, server).await.unwrap();
    let mut buffer = [0; 1500];
    let (bytes, _) = patiently(socket.recv_from(&mut buffer)).await.unwrap();
    buffer[..bytes].to_vec()
}

/// The response code, and the address if there is one.
pub(crate) fn answer(reply: &[u8]) -> (u8, Option<Ipv4Addr>) {
    let address = (reply[7] == 1).then(|| {
        let octets: [u8; 4] = reply[reply.len() - 4..].try_into().unwrap();
        octets.into()
    });
    (reply[3] & 0xf, address)
}
