//! Section `[server]`: where the server listens, where it keeps its data, what it accepts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use hostler_http::BODY_BYTES_HELD;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::quantity::{ByteSize, Span};
use super::resolve::Resolving;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawServer {
    /// The address that the server listens on. Port 0 picks a free one; the banner shows which.
    /// Traffic is plain HTTP: put a proxy with TLS in front before you listen on anything but loopback.
    pub listen: String,
    /// The folder that holds the database, the files and the sandboxes. It is created if it is missing.
    pub data_dir: PathBuf,
    /// The address under which clients reach the server, where that is not the one it listens on.
    /// Example: public_url = "https://hostler.example.com"
    pub public_url: Option<String>,
    /// The longest body of a JSON request.
    pub max_body_bytes: ByteSize,
    /// Memory for the bodies of requests and for long answers that clients have not taken yet; requests that need
    /// more are told to come back later (529). A body counts four times, for the values that it becomes.
    pub max_held_bytes: ByteSize,
    /// The longest file that can be uploaded.
    pub max_upload_bytes: ByteSize,
    /// Let uploaded files be downloaded again. The hosted service refuses that.
    pub uploads_downloadable: bool,
    /// Requests that are worked on at the same time; more are told to come back later (529).
    pub max_requests: u32,
    /// Event streams that are open at the same time; more are told to come back later (529).
    pub max_streams: u32,
    /// How long requests and runners have to end after SIGTERM, before they are dropped. The log makes
    /// the next start go on where they were.
    pub shutdown_grace: Span,
    /// Refuse requests to beta resources that come without their `anthropic-beta` value, as the hosted
    /// service does.
    pub require_beta_header: bool,
}

impl Default for RawServer {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:4180".to_owned(),
            data_dir: PathBuf::from("./hostler-data"),
            public_url: None,
            max_body_bytes: ByteSize(32 << 20),
            max_held_bytes: ByteSize(512 << 20),
            max_upload_bytes: ByteSize(500_000_000),
            uploads_downloadable: false,
            max_requests: 2048,
            max_streams: 16_384,
            shutdown_grace: Span(Duration::from_secs(10)),
            require_beta_header: true,
        }
    }
}

/// The resolved section.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    /// Without a slash at the end.
    pub public_url: Option<String>,
    pub max_body_bytes: u64,
    pub max_held_bytes: u64,
    pub max_upload_bytes: u64,
    pub uploads_downloadable: bool,
    pub max_requests: usize,
    pub max_streams: usize,
    pub shutdown_grace: Duration,
    pub require_beta_header: bool,
}

impl RawServer {
    pub(super) fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> ServerOptions {
        let fallback = SocketAddr::from(([127, 0, 0, 1], 0));
        let listen = self.listen.trim().parse().unwrap_or_else(|_| {
            let message = format!(
                "{:?} is not an address with a port, such as \"127.0.0.1:4180\" or \"[::1]:4180\"",
                self.listen
            );
            problems.push(at.problem(&["server", "listen"], message));
            fallback
        });
        let public_url = self
            .public_url
            .as_deref()
            .map(|url| url.trim_end_matches('/').to_owned());
        if let Some(url) = &public_url
            && !is_http_url(url)
        {
            let message = format!("{url:?} is not a URL that begins with https:// or http://");
            problems.push(at.problem(&["server", "public_url"], message));
        }
        for (key, size) in [
            ("max_body_bytes", self.max_body_bytes),
            ("max_upload_bytes", self.max_upload_bytes),
        ] {
            if size.0 == 0 {
                problems.push(at.problem(&["server", key], "must be at least 1 byte"));
            }
        }
        // A body is held with its values; an answer as it is.
        let held_min = self.max_body_bytes.0.saturating_mul(BODY_BYTES_HELD as u64);
        if self.max_held_bytes.0 < held_min {
            let message = format!(
                "must be at least {held_min} bytes, {BODY_BYTES_HELD} times max_body_bytes: \
                 a body of that length could never be taken"
            );
            problems.push(at.problem(&["server", "max_held_bytes"], message));
        }
        for (key, count) in [
            ("max_requests", self.max_requests),
            ("max_streams", self.max_streams),
        ] {
            if count == 0 {
                problems.push(at.problem(&["server", key], "must be at least 1"));
            }
        }
        ServerOptions {
            listen,
            data_dir: at.path(&["server", "data_dir"], &self.data_dir),
            public_url,
            max_body_bytes: self.max_body_bytes.0,
            max_held_bytes: self.max_held_bytes.0,
            max_upload_bytes: self.max_upload_bytes.0,
            uploads_downloadable: self.uploads_downloadable,
            max_requests: self.max_requests as usize,
            max_streams: self.max_streams as usize,
            shutdown_grace: self.shutdown_grace.0,
            require_beta_header: self.require_beta_header,
        }
    }
}

/// Whether this is an absolute URL that a client could be pointed at.
pub(super) fn is_http_url(text: &str) -> bool {
    reqwest::Url::parse(text)
        .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
