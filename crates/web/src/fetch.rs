//! Fetching one page: hop by hop, each connected to at an address that was just checked, and never more of it than
//! is of use.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hostler_egress::Outward;
use reqwest::dns::{Name, Resolve, Resolving};
use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::time::timeout;

use crate::error::FetchError;
use crate::limits::{
    CAUSE_CHARS_MAX, CONNECT_TIMEOUT, HOPS_MAX, PAGE_BYTES_MAX, PAGES_BYTES_MAX, URL_CHARS_MAX,
};
use crate::media::{ContentType, Media};
use crate::reader::{ReaderLimits, Readers, Task};
use crate::room::{Room, Rooms};
use crate::trust::Trust;

const ACCEPTED: &str = "text/html, application/xhtml+xml, text/markdown, text/plain;q=0.9, \
     application/json;q=0.9, application/pdf;q=0.9, */*;q=0.5";

/// What an operator decides.
#[derive(Debug, Clone)]
pub struct FetchOptions {
    /// For one page, from the first connection to its last byte.
    pub timeout: Duration,
    /// The program that is a reader when its first argument is [`crate::READER_COMMAND`].
    pub reader: PathBuf,
    pub reader_limits: ReaderLimits,
    /// Of all pages at once, as they come.
    pub pages_bytes_max: usize,
}

impl FetchOptions {
    pub fn new(timeout: Duration, reader: PathBuf) -> Self {
        Self {
            timeout,
            reader,
            reader_limits: ReaderLimits::default(),
            pages_bytes_max: PAGES_BYTES_MAX,
        }
    }
}

/// Fetches pages. Cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    outward: Outward,
    options: FetchOptions,
    trust: Arc<Trust>,
    readers: Readers,
    rooms: Rooms,
}

/// A page as text. **Invariant:** the text is not empty.
#[derive(Debug)]
pub struct Fetched {
    /// Where it was in the end.
    pub url: Url,
    pub title: Option<String>,
    pub text: String,
    /// It was longer than what is ever read.
    pub is_cut: bool,
    /// As long as somebody has the text.
    _room: Room,
}

impl Fetcher {
    pub fn new(outward: Outward, options: FetchOptions) -> Self {
        Self {
            outward,
            trust: Arc::default(),
            rooms: Rooms::new(options.pages_bytes_max),
            readers: Readers::new(options.reader.clone(), options.reader_limits),
            options,
        }
    }

    /// The page at an address. `permits` is asked about each address on the way there.
    ///
    /// # Errors
    /// See [`FetchError`].
    pub async fn fetch(
        &self,
        url: Url,
        permits: &(dyn Fn(&Url) -> Result<(), String> + Send + Sync),
    ) -> Result<Fetched, FetchError> {
        let seconds = self.options.timeout.as_secs();
        let slow = |_elapsed| {
            FetchError::NotAccessible(format!("the page was not there within {seconds} seconds"))
        };
        let page = timeout(self.options.timeout, self.page(url, permits)).await;
        let page = page.map_err(slow)??;
        let Page {
            url,
            task,
            is_cut,
            room,
        } = page;
        let read = self.readers.read(task).await?;
        Ok(Fetched {
            url,
            title: read.title,
            text: read.text,
            is_cut,
            _room: room,
        })
    }

    async fn page(
        &self,
        mut url: Url,
        permits: &(dyn Fn(&Url) -> Result<(), String> + Send + Sync),
    ) -> Result<Page, FetchError> {
        for _hop in 0..=HOPS_MAX {
            permits(&url).map_err(FetchError::NotAllowed)?;
            let response = self.ask(&url).await?;
            match next_hop(&url, &response)? {
                Some(next) => url = next,
                None => return taken(url, response, self.rooms.room()).await,
            }
        }
        Err(FetchError::NotAccessible(format!(
            "it leads elsewhere more than {HOPS_MAX} times"
        )))
    }

    /// One request, by a client of its own: the addresses that were checked are the only ones that it knows.
    async fn ask(&self, url: &Url) -> Result<Response, FetchError> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default();
        let bare = host.trim_matches(['[', ']']);
        let found = self.outward.addresses(bare, port).await;
        let found = found.map_err(|refused| FetchError::NotAccessible(refused.to_string()))?;
        let addresses: Vec<SocketAddr> = found
            .into_iter()
            .map(|ip| SocketAddr::new(ip, port.unwrap_or(0)))
            .collect();
        let config = self.trust.config().await;
        let config = config.map_err(|error| FetchError::Unavailable(error.to_string()))?;
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            .dns_resolver(NoNames)
            .resolve_to_addrs(host, &addresses)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(0)
            .user_agent(concat!(
                "hostler/",
                env!("CARGO_PKG_VERSION"),
                " (web_fetch)"
            ))
            .build()
            .map_err(|error| FetchError::Unavailable(format!("no HTTP client: {error}")))?;
        let sent = client.get(url.clone()).header(ACCEPT, ACCEPTED).send();
        sent.await.map_err(|error| unreachable(&error))
    }
}

/// What was received, to be read.
struct Page {
    url: Url,
    task: Task,
    is_cut: bool,
    room: Room,
}

/// Where an answer leads, if it leads elsewhere.
fn next_hop(url: &Url, response: &Response) -> Result<Option<Url>, FetchError> {
    let status = response.status();
    if status.is_success() {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION);
    let location = location.filter(|_| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308));
    let Some(location) = location else {
        return Err(FetchError::NotAccessible(format!(
            "the server answered {status}"
        )));
    };
    let unreadable = || FetchError::NotAccessible("it leads to what is no address".to_owned());
    let location = std::str::from_utf8(location.as_bytes()).map_err(|_| unreadable())?;
    let mut next = url.join(location).map_err(|_| unreadable())?;
    next.set_fragment(None);
    let is_web = matches!(next.scheme(), "http" | "https");
    if !is_web || !next.username().is_empty() || next.password().is_some() {
        return Err(unreadable());
    }
    // It is told to the model, and the header may be long.
    if next.as_str().len() > URL_CHARS_MAX {
        return Err(FetchError::NotAccessible(format!(
            "it leads to an address of more than {URL_CHARS_MAX} characters"
        )));
    }
    Ok(Some(next))
}

async fn taken(url: Url, response: Response, mut room: Room) -> Result<Page, FetchError> {
    let header = response.headers().get(CONTENT_TYPE);
    let header = header.and_then(|value| value.to_str().ok());
    let kind = ContentType::parse(header.unwrap_or_default());
    let mut body = Vec::new();
    let mut is_cut = false;
    let mut chunks = response.bytes_stream();
    let mut media = None;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| unreachable(&error))?;
        let left = PAGE_BYTES_MAX - body.len();
        let of_chunk = chunk.len().min(left);
        room.grow_to(body.len() + of_chunk)?;
        body.extend_from_slice(&chunk[..of_chunk]);
        // What nobody can read is not waited for.
        if media.is_none() && body.len() >= 16 {
            media = Some(readable(&kind, &body)?);
        }
        if chunk.len() > left {
            is_cut = true;
            break;
        }
    }
    let media = match media {
        Some(media) => media,
        None if body.is_empty() => Media::Text,
        None => readable(&kind, &body)?,
    };
    if is_cut && media == Media::Pdf {
        return Err(FetchError::NotAccessible(format!(
            "the PDF is longer than {PAGE_BYTES_MAX} bytes"
        )));
    }
    let task = Task {
        media,
        charset: kind.charset,
        url: url.to_string(),
        body,
    };
    Ok(Page {
        url,
        task,
        is_cut,
        room,
    })
}

fn readable(kind: &ContentType, body: &[u8]) -> Result<Media, FetchError> {
    let unsupported = || {
        let essence = match kind.essence.as_str() {
            "" => "unknown",
            essence => essence,
        };
        let shown = essence.chars().filter(char::is_ascii_graphic).take(100);
        FetchError::UnsupportedContentType(shown.collect())
    };
    kind.media(body).ok_or_else(unsupported)
}

/// Without the address, which the library repeats: it may be somebody's secret.
fn unreachable(error: &reqwest::Error) -> FetchError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let is_own = std::ptr::eq(
        std::ptr::from_ref(cause).cast::<()>(),
        std::ptr::from_ref(error).cast::<()>(),
    );
    FetchError::NotAccessible(match is_own {
        true if error.is_timeout() => "the connection took too long".to_owned(),
        true => "the connection failed".to_owned(),
        false => {
            let cause = cause.to_string();
            let cause: String = cause.chars().take(CAUSE_CHARS_MAX).collect();
            format!("the connection failed: {cause}")
        }
    })
}

/// Knows no name: what is connected to was looked up before.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _name: Name) -> Resolving {
        Box::pin(async { Err("no name is looked up here".into()) })
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fetcher")
    }
}
