//! A registry on this machine that can be told to misbehave.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::packing::{Packed, digest};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Manners {
    #[default]
    Good,
    /// Nothing without a token, which is had at another path.
    WantsToken,
    /// Blobs are elsewhere on this machine.
    Redirects,
    /// Blobs are where nothing is encrypted, outside.
    RedirectsAway,
    /// The connection ends in the middle of a blob, each time a little later.
    Breaks,
    /// The same, but a blob always starts again.
    BreaksWithoutRanges,
    /// The first blob is another one.
    Lies,
    /// The first blob never comes whole.
    Truncates,
    /// The first blob does not end when it should.
    Overflows,
}

pub(crate) struct StubRegistry {
    address: String,
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
}

struct Served {
    bodies: HashMap<String, Vec<u8>>,
    first_blob: String,
    manners: Manners,
    address: String,
    interruptions: AtomicUsize,
    requests: Arc<Mutex<Vec<String>>>,
}

const BREAKS: usize = 3;

impl StubRegistry {
    pub(crate) fn serve(image: &Packed, by_tag: Vec<u8>, manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut bodies = HashMap::new();
        for blob in &image.blobs {
            bodies.insert(
                format!("/v2/team/image/blobs/{}", digest(blob)),
                blob.clone(),
            );
        }
        let manifest = format!("/v2/team/image/manifests/{}", digest(&image.manifest));
        bodies.insert(manifest, image.manifest.clone());
        bodies.insert("/v2/team/image/manifests/v1".to_owned(), by_tag);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let served = Served {
            bodies,
            first_blob: format!("/v2/team/image/blobs/{}", digest(&image.blobs[0])),
            manners,
            address: address.clone(),
            interruptions: AtomicUsize::new(0),
            requests: Arc::clone(&requests),
        };
        // It ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = served.answer(stream.unwrap());
            }
        });
        Self { address, requests }
    }

    pub(crate) fn source(&self, version: &str) -> String {
        format!("oci:{}/team/image{version}", self.address)
    }
}

impl Served {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut token, mut from) = (None, 0);
        for line in lines {
            let line = line?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("authorization: ") {
                token = Some(value.to_owned());
            }
            if let Some(value) = line.strip_prefix("range: bytes=") {
                from = value.trim_end_matches('-').parse().unwrap_or(0);
            }
        }
        self.requests.lock().unwrap().push(path.clone());
        let (status, headers, body, promised) = self.choose(&path, token.as_deref(), from);
        let head = format!(
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {promised}\r\n{headers}\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)
    }

    fn choose(
        &self,
        path: &str,
        token: Option<&str>,
        from: usize,
    ) -> (&str, String, Vec<u8>, usize) {
        let whole = |status, headers: String, body: Vec<u8>| {
            let length = body.len();
            (status, headers, body, length)
        };
        if path.starts_with("/token?service=stub&scope=repository%3Ateam%2Fimage%3Apull") {
            return whole("200 OK", String::new(), br#"{"token":"sesame"}"#.to_vec());
        }
        if self.manners == Manners::WantsToken && token != Some("bearer sesame") {
            let challenge = format!(
                "www-authenticate: Bearer realm=\"http://{}/token\",service=\"stub\",\
                 scope=\"repository:team/image:pull\"\r\n",
                self.address
            );
            return whole("401 Unauthorized", challenge, Vec::new());
        }
        let moved = path.strip_prefix("/elsewhere").unwrap_or(path);
        let Some(body) = self.bodies.get(moved) else {
            return whole("404 Not Found", String::new(), Vec::new());
        };
        let body = body.clone();
        let is_blob = path.contains("/blobs/");
        match self.manners {
            Manners::Redirects if is_blob && path == moved => {
                let place = format!("location: http://{}/elsewhere{path}\r\n", self.address);
                whole("307 Temporary Redirect", place, Vec::new())
            }
            Manners::RedirectsAway if is_blob => {
                let place = "location: http://192.0.2.1/blob\r\n".to_owned();
                whole("307 Temporary Redirect", place, Vec::new())
            }
            Manners::Lies if moved == self.first_blob => {
                whole("200 OK", String::new(), vec![b'x'; body.len()])
            }
            Manners::Overflows if moved == self.first_blob => {
                whole("200 OK", String::new(), [body.as_slice(), b"more"].concat())
            }
            Manners::Truncates if moved == self.first_blob => {
                let length = body.len();
                ("200 OK", String::new(), body[..length / 2].to_vec(), length)
            }
            Manners::Breaks | Manners::BreaksWithoutRanges if moved == self.first_blob => {
                self.break_off(&body, from)
            }
            Manners::Good
            | Manners::WantsToken
            | Manners::Redirects
            | Manners::RedirectsAway
            | Manners::Breaks
            | Manners::BreaksWithoutRanges
            | Manners::Lies
            | Manners::Truncates
            | Manners::Overflows => whole("200 OK", String::new(), body),
        }
    }

    fn break_off(&self, body: &[u8], from: usize) -> (&str, String, Vec<u8>, usize) {
        let number = self.interruptions.fetch_add(1, Ordering::Relaxed) + 1;
        let end = if number >= BREAKS {
            body.len()
        } else {
            body.len() * number / BREAKS
        };
        if self.manners == Manners::Breaks && from > 0 {
            let rest = body[from..end.max(from)].to_vec();
            return (
                "206 Partial Content",
                String::new(),
                rest,
                body.len() - from,
            );
        }
        ("200 OK", String::new(), body[..end].to_vec(), body.len())
    }
}
