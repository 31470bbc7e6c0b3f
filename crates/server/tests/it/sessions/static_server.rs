//! A web server on loopback with fixed files, for sandboxes to download from.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

type Files = HashMap<String, Vec<u8>>;

/// Ends when it is dropped.
pub(super) struct StaticServer {
    pub(super) port: u16,
    requests: watch::Receiver<usize>,
    _serving: JoinSet<()>,
}

impl StaticServer {
    /// What the server has is decided when its port is known.
    pub(super) async fn start(files: impl FnOnce(u16) -> Files) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let files = Arc::new(files(port));
        let (count, requests) = watch::channel(0);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut answering = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.send_modify(|count| *count += 1);
                answering.spawn(answer(stream, Arc::clone(&files)));
            }
        });
        Self {
            port,
            requests,
            _serving: serving,
        }
    }
}

impl StaticServer {
    /// How many there were.
    pub(super) fn requests(&self) -> usize {
        *self.requests.borrow()
    }

    /// Waits until there were so many.
    pub(super) async fn request(&self, number: usize) {
        let mut requests = self.requests.clone();
        requests.wait_for(|count| *count >= number).await.unwrap();
    }
}

/// One request, by its path.
async fn answer(mut stream: TcpStream, files: Arc<Files>) {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader).lines();
    let Ok(Some(request)) = lines.next_line().await else {
        return;
    };
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            break;
        }
    }
    let target = request.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let (status, body) = match files.get(path) {
        Some(body) => ("200 OK", body.as_slice()),
        None => ("404 Not Found", b"".as_slice()),
    };
    let kind = match path.rsplit('.').next() {
        Some("tgz" | "whl") => "application/octet-stream",
        _ if body.starts_with(b"{") => "application/json",
        _ if body.starts_with(b"<") => "text/html",
        _ => "application/octet-stream",
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    let _ = writer.write_all(head.as_bytes()).await;
    let _ = writer.write_all(body).await;
}

/// Every file below a folder, by its path from there with `prefix` before it.
pub(super) fn folder(prefix: &str, at: &Path) -> Files {
    let mut files = Files::new();
    for entry in std::fs::read_dir(at).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}/{}", entry.file_name().into_string().unwrap());
        if entry.path().is_dir() {
            files.extend(folder(&name, &entry.path()));
        } else {
            files.insert(name, std::fs::read(entry.path()).unwrap());
        }
    }
    files
}
