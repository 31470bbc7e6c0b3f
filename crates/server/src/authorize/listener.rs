//! The place on this machine where the browser is sent back to, as RFC 8252 (section 7.3) has it.
//!
//! Anybody on this machine, and every page in a browser, can speak to it. Whatever does not carry the state of this
//! authorization is answered and forgotten.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Context;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::limits::{REDIRECT_CONNECTIONS_MAX, REDIRECT_HEAD_BYTES_MAX, REDIRECT_TIME_MAX};

const PATH: &str = "/callback";

pub(super) struct Listener {
    socket: TcpListener,
    /// Without a path.
    origin: String,
    path: String,
}

impl Listener {
    pub(super) async fn on_a_free_port() -> anyhow::Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let socket = TcpListener::bind(address).await;
        let socket = socket.context("there is no port for the browser to be sent back to")?;
        let origin = format!("http://{}", socket.local_addr()?);
        let path = PATH.to_owned();
        Ok(Self {
            socket,
            origin,
            path,
        })
    }

    /// Where a registered client is sent back to. None: not to this machine, so that the address has to be pasted.
    pub(super) async fn at(redirect_uri: &str) -> anyhow::Result<Option<Self>> {
        let url = Url::parse(redirect_uri).context("--redirect-uri is no URL")?;
        let Some(ip) = loopback(&url) else {
            return Ok(None);
        };
        let address = SocketAddr::from((ip, url.port().unwrap_or(80)));
        let socket = TcpListener::bind(address).await;
        let socket = socket.with_context(|| {
            format!("{address}, which --redirect-uri names, can't be listened on")
        })?;
        Ok(Some(Self {
            socket,
            origin: url.origin().ascii_serialization(),
            path: url.path().to_owned(),
        }))
    }

    pub(super) fn redirect_uri(&self) -> String {
        format!("{}{}", self.origin, self.path)
    }

    /// The first address that the browser is sent to and that is an answer.
    pub(super) async fn answer(&self, is_answer: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let mut speaking = FuturesUnordered::new();
        loop {
            tokio::select! {
                accepted = self.socket.accept(), if speaking.len() < REDIRECT_CONNECTIONS_MAX => {
                    let (stream, _) = accepted.context("the browser can't be heard")?;
                    let one = self.hear(stream, &is_answer);
                    // Browsers open connections that they don't use at once.
                    speaking.push(tokio::time::timeout(REDIRECT_TIME_MAX, one));
                }
                Some(heard) = speaking.next(), if !speaking.is_empty() => {
                    if let Ok(Some(url)) = heard {
                        return Ok(url);
                    }
                }
            }
        }
    }

    /// One request, if it is one.
    async fn hear(
        &self,
        mut stream: TcpStream,
        is_answer: &impl Fn(&str) -> bool,
    ) -> Option<String> {
        let head = read_head(&mut stream).await?;
        let target = target(&head)?;
        let url = format!("{}{target}", self.origin);
        let is_here = Url::parse(&url).is_ok_and(|url| url.path() == self.path);
        if is_here && is_answer(&url) {
            let said = "The answer has come. You can close this page: the terminal goes on.";
            say(&mut stream, "200 OK", said).await;
            return Some(url);
        }
        say(&mut stream, "404 Not Found", "Nobody waits for this.").await;
        None
    }
}

/// Its address, if it is this machine by name or number, over plain HTTP.
fn loopback(url: &Url) -> Option<IpAddr> {
    if url.scheme() != "http" {
        return None;
    }
    match url.host_str()? {
        "localhost" | "127.0.0.1" => Some(Ipv4Addr::LOCALHOST.into()),
        "[::1]" => Some(Ipv6Addr::LOCALHOST.into()),
        _ => None,
    }
}

async fn read_head(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut piece = [0; 2_048];
    loop {
        let length = stream.read(&mut piece).await.ok()?;
        head.extend_from_slice(&piece[..length]);
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Some(head);
        }
        if length == 0 || head.len() > REDIRECT_HEAD_BYTES_MAX {
            return None;
        }
    }
}

/// What a GET asks for.
fn target(head: &[u8]) -> Option<&str> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    match (words.next(), words.next()) {
        (Some("GET"), Some(target)) if target.starts_with('/') => Some(target),
        _ => None,
    }
}

/// A browser that has gone away has been heard all the same.
async fn say(stream: &mut TcpStream, status: &str, text: &str) {
    let length = text.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}"
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(listener: &Listener, request: &str) -> String {
        let address = listener.socket.local_addr().unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_the_answer_is_taken() {
        let listener = Listener::on_a_free_port().await.unwrap();
        let asking = async {
            let _silent = TcpStream::connect(listener.socket.local_addr().unwrap()).await;
            for other in [
                "GET /favicon.ico HTTP/1.1\r\n\r\n",
                "GET /callback?code=c&state=other HTTP/1.1\r\n\r\n",
                "GET /elsewhere?code=c&state=ours HTTP/1.1\r\n\r\n",
            ] {
                let answer = ask(&listener, other).await;
                assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
            }
            let answer = "GET /callback?code=c&state=ours HTTP/1.1\r\nhost: x\r\n\r\n";
            ask(&listener, answer).await
        };
        let is_answer = |url: &str| url.contains("state=ours");
        let (url, said) = tokio::join!(listener.answer(is_answer), asking);
        let expected = format!("{}?code=c&state=ours", listener.redirect_uri());
        assert_eq!(url.unwrap(), expected);
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }

    #[tokio::test]
    async fn what_is_not_here_is_pasted() {
        for elsewhere in [
            "https://localhost/callback",
            "https://example.com/back",
            "app:back",
        ] {
            assert!(
                Listener::at(elsewhere).await.unwrap().is_none(),
                "{elsewhere}"
            );
        }
    }
}
