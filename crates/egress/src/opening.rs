//! What a client speaks, told from its first bytes. Pure: it reads nothing and waits for nothing.

use rustls::server::Acceptor;

use crate::limits::FIRST_LINE_BYTES_MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    Tls,
    Http1,
    /// HTTP/2 without TLS and without having been asked for.
    Http2,
    Other,
    /// Not enough to say.
    Unsure,
}

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// More bytes never change an answer other than [`Opening::Unsure`].
pub(crate) fn opening(bytes: &[u8]) -> Opening {
    match bytes {
        [] | [0x16] => return Opening::Unsure,
        [0x16, 3, ..] => return Opening::Tls,
        _ => {}
    }
    // Servers skip empty lines before a request, so they don't hide one.
    let line = match bytes.iter().position(|byte| !b"\r\n".contains(byte)) {
        Some(start) if start < FIRST_LINE_BYTES_MAX => &bytes[start..],
        Some(_) => return Opening::Other,
        None if bytes.len() < FIRST_LINE_BYTES_MAX => return Opening::Unsure,
        None => return Opening::Other,
    };
    if line.starts_with(HTTP2_PREFACE) {
        return Opening::Http2;
    }
    first_line(line)
}

fn first_line(line: &[u8]) -> Opening {
    let end = line.iter().position(|byte| *byte == b'\n');
    let shown = &line[..end.unwrap_or(line.len()).min(FIRST_LINE_BYTES_MAX)];
    let is_text = shown
        .iter()
        .all(|byte| matches!(byte, b'\t' | b'\r' | 0x20..=0x7e | 0x80..));
    if !is_text {
        return Opening::Other;
    }
    if end.is_none() && line.len() < FIRST_LINE_BYTES_MAX {
        return Opening::Unsure;
    }
    let has_version = shown.windows(5).any(|w| w.eq_ignore_ascii_case(b"HTTP/"));
    // A line too long to be seen whole is left to the reader of HTTP, which refuses it.
    if has_version || end.is_none() {
        Opening::Http1
    } else {
        Opening::Other
    }
}

/// What a TLS client's first message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hello {
    Incomplete,
    /// No hello, or one that a TLS server would refuse.
    Invalid,
    /// The server name, as text that TLS permits there.
    Complete(Option<String>),
}

/// Reads a hello as it arrives, with the parser that a TLS server uses.
#[derive(Default)]
pub(crate) struct HelloReader {
    acceptor: Acceptor,
    fed: usize,
}

impl HelloReader {
    /// Takes all that has arrived so far; each byte is read once.
    pub(crate) fn read(&mut self, arrived: &[u8]) -> Hello {
        loop {
            match self.acceptor.accept() {
                Ok(Some(accepted)) => {
                    let name = accepted.client_hello().server_name().map(str::to_owned);
                    return Hello::Complete(name);
                }
                Ok(None) => {}
                Err(_) => return Hello::Invalid,
            }
            let mut rest = arrived.get(self.fed..).unwrap_or_default();
            if rest.is_empty() {
                return Hello::Incomplete;
            }
            match self.acceptor.read_tls(&mut rest) {
                Ok(taken) if taken > 0 => self.fed += taken,
                Ok(_) | Err(_) => return Hello::Invalid,
            }
        }
    }
}
