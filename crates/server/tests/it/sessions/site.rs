//! A site on loopback whose pages a test decides on, byte for byte.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

type Pages = dyn Fn(&str) -> Vec<u8> + Send + Sync;

/// Ends when it is dropped.
pub(super) struct Site {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

impl Site {
    /// `pages` answers a path, and what is behind it, with a whole response.
    pub(super) async fn start(pages: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::knowing(|_port| pages).await
    }

    /// The same, for pages that know where they are.
    pub(super) async fn knowing<P>(pages: impl FnOnce(u16) -> P) -> Self
    where
        P: Fn(&str) -> Vec<u8> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pages: Arc<Pages> = Arc::new(pages(port));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = Arc::clone(&asked);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut answering = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                answering.spawn(answer(stream, Arc::clone(&pages), Arc::clone(&seen)));
            }
        });
        Self {
            port,
            asked,
            _serving: serving,
        }
    }

    /// Where a page is.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://site.test:{}{path}", self.port)
    }

    /// The paths that were asked for.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn answer(mut stream: TcpStream, pages: Arc<Pages>, asked: Arc<Mutex<Vec<String>>>) {
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
    asked.lock().unwrap().push(target.to_owned());
    let _ = writer.write_all(&pages(target)).await;
}

pub(super) fn page(kind: &str, body: &[u8]) -> Vec<u8> {
    response("200 OK", &format!("content-type: {kind}\r\n"), body)
}

pub(super) fn html(body: &str) -> Vec<u8> {
    page("text/html; charset=utf-8", body.as_bytes())
}

pub(super) fn moved(to: &str) -> Vec<u8> {
    response("302 Found", &format!("location: {to}\r\n"), b"")
}

pub(super) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut response = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n"
    )
    .into_bytes();
    response.extend_from_slice(body);
    response
}
