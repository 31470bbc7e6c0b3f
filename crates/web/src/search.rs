//! Searching with the service that the operator has chosen. What each of them is asked, and how it answers, is one
//! [`Dialect`] in a file of its own.

mod anthropic;
mod brave;
mod exa;
mod searxng;
mod tavily;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hostler_protocol::plain::plain;
use hostler_protocol::secret::SecretText;
use reqwest::header::{HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use tokio::time::timeout;

use crate::error::SearchError;
use crate::limits::{
    CONNECT_TIMEOUT, SEARCH_BYTES_MAX, SITE_WORDS_MAX, SNIPPET_CHARS_MAX, TITLE_CHARS_MAX,
    URL_CHARS_MAX,
};

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchService {
    Searxng,
    Brave,
    Tavily,
    Exa,
    /// The server tool of a model.
    Anthropic {
        model: String,
    },
}

/// What an operator decides.
#[derive(Debug, Clone)]
pub struct SearchOptions {
    pub service: SearchService,
    /// Where it is; `None` for its usual place, which SearXNG has not.
    pub url: Option<Url>,
    pub key: Option<SecretText>,
    pub timeout: Duration,
    /// Results of one search.
    pub results_max: usize,
}

/// What is to be found. Domains are a hint to the service: whoever asks holds the results against them.
#[derive(Debug, Clone, Default)]
pub struct Query {
    pub text: String,
    /// Hosts, some with a path behind them.
    pub allowed_domains: Vec<String>,
    pub blocked_domains: Vec<String>,
    /// ISO 3166, two letters in upper case.
    pub country: Option<String>,
}

/// A page that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub url: String,
    pub title: String,
    /// What the service says of it; it may be empty.
    pub snippet: String,
}

/// What one service wants to be asked, and what it answers.
trait Dialect: Send + Sync {
    /// Characters of a query that it takes.
    fn query_chars_max(&self) -> usize;

    fn request(&self, http: &Client, query: &Query, results_max: usize) -> RequestBuilder;

    /// What a good answer says, or `None` if it is none.
    fn hits(&self, body: &[u8]) -> Option<Vec<Hit>>;

    /// What to do about an answer with this status, where the service has its own meaning for it.
    fn refusal(&self, _status: u16) -> Option<SearchError> {
        None
    }
}

/// Searches. Cheap to clone.
#[derive(Clone)]
pub struct Searcher {
    http: Client,
    dialect: Arc<dyn Dialect>,
    timeout: Duration,
    results_max: usize,
}

impl Searcher {
    /// # Errors
    /// When the machine has no usable store of root certificates.
    pub fn new(options: SearchOptions) -> Result<Self, SearchError> {
        let http = Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // A key is sent to nobody else.
            .redirect(Policy::none())
            .user_agent(concat!("hostler/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SearchError::Unavailable(format!("no HTTP client: {error}")))?;
        Ok(Self {
            http,
            dialect: dialect(options.service, options.url, options.key),
            timeout: options.timeout,
            results_max: options.results_max,
        })
    }

    /// What the service finds, the best first, and no more than the operator wants.
    ///
    /// # Errors
    /// See [`SearchError`]. It is never asked twice: a search may cost money.
    pub async fn search(&self, query: &Query) -> Result<Vec<Hit>, SearchError> {
        let longest = self.dialect.query_chars_max();
        if query.text.chars().count() > longest {
            return Err(SearchError::QueryTooLong(longest));
        }
        let seconds = self.timeout.as_secs();
        let slow = |_elapsed| {
            let message = format!("the search service did not answer within {seconds} seconds");
            SearchError::Unavailable(message)
        };
        let asked = timeout(self.timeout, self.ask(query)).await;
        let mut hits = asked.map_err(slow)??;
        hits.retain(|hit| is_page(&hit.url));
        for hit in &mut hits {
            hit.title = one_line(&hit.title, TITLE_CHARS_MAX);
            hit.snippet = one_line(&hit.snippet, SNIPPET_CHARS_MAX);
        }
        Ok(hits)
    }

    /// How many results whoever asks is to keep.
    pub fn results_max(&self) -> usize {
        self.results_max
    }

    async fn ask(&self, query: &Query) -> Result<Vec<Hit>, SearchError> {
        let request = self.dialect.request(&self.http, query, self.results_max);
        let failed = |error: reqwest::Error| {
            let error = error.without_url();
            SearchError::Unavailable(format!("the search service can't be reached: {error}"))
        };
        let response = request.send().await.map_err(failed)?;
        let status = response.status().as_u16();
        if let Some(refusal) = self.dialect.refusal(status) {
            return Err(refusal);
        }
        match status {
            200 => {}
            429 => {
                let retry_after = retry_after(&response);
                return Err(SearchError::TooManyRequests { retry_after });
            }
            401 | 403 => {
                let message = format!("the search service refused the server's key ({status})");
                return Err(SearchError::Unavailable(message));
            }
            _ => {
                let message = format!("the search service answered {status}");
                return Err(SearchError::Unavailable(message));
            }
        }
        let body = bounded(response).await?;
        let unreadable = || {
            let message = "the search service answered with what is no list of results";
            SearchError::Unavailable(message.to_owned())
        };
        self.dialect.hits(&body).ok_or_else(unreadable)
    }
}

fn dialect(service: SearchService, url: Option<Url>, key: Option<SecretText>) -> Arc<dyn Dialect> {
    match service {
        SearchService::Searxng => Arc::new(searxng::Searxng { url, key }),
        SearchService::Brave => Arc::new(brave::Brave { url, key }),
        SearchService::Tavily => Arc::new(tavily::Tavily { url, key }),
        SearchService::Exa => Arc::new(exa::Exa { url, key }),
        SearchService::Anthropic { model } => Arc::new(anthropic::Anthropic { url, key, model }),
    }
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Searcher")
    }
}

/// Seconds; a date is not worth the trouble.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
    value.trim().parse().ok().map(Duration::from_secs)
}

async fn bounded(response: Response) -> Result<Vec<u8>, SearchError> {
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let lost = |_error| SearchError::Unavailable("the answer was cut off".to_owned());
        body.extend_from_slice(&chunk.map_err(lost)?);
        if body.len() > SEARCH_BYTES_MAX {
            let message = "the search service's answer is too long";
            return Err(SearchError::Unavailable(message.to_owned()));
        }
    }
    Ok(body)
}

fn is_page(url: &str) -> bool {
    url.len() <= URL_CHARS_MAX
        && Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}

fn one_line(text: &str, chars: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    plain(&words.join(" ")).chars().take(chars).collect()
}

/// Below a service's address.
fn place(url: Option<&Url>, usual: &str, path: &str) -> String {
    let base = url.map_or(usual, Url::as_str);
    format!("{}{path}", base.trim_end_matches('/'))
}

/// The key in a header that no log of the libraries below shows.
fn with_key(request: RequestBuilder, name: &str, key: Option<&SecretText>) -> RequestBuilder {
    let Some(key) = key else {
        return request;
    };
    match HeaderValue::from_str(key.expose()) {
        Ok(mut value) => {
            value.set_sensitive(true);
            request.header(name, value)
        }
        // Sending it fails, and says that it is no header.
        Err(_) => request.header(name, key.expose()),
    }
}

/// A query for services that take domains as words of it.
fn with_sites(query: &Query) -> String {
    let allowed = &query.allowed_domains;
    let mut text = query.text.clone();
    if !allowed.is_empty() && allowed.len() <= SITE_WORDS_MAX {
        let sites: Vec<String> = allowed.iter().map(|site| format!("site:{site}")).collect();
        text = match sites.as_slice() {
            [site] => format!("{text} {site}"),
            sites => format!("{text} ({})", sites.join(" OR ")),
        };
    }
    for site in query.blocked_domains.iter().take(SITE_WORDS_MAX) {
        text = format!("{text} -site:{site}");
    }
    text
}

/// Without paths, once each, for services that know domains only.
fn bare_domains(domains: &[String]) -> Vec<&str> {
    let hosts = domains.iter().filter_map(|domain| domain.split('/').next());
    let mut hosts: Vec<&str> = hosts.collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// Blocked whole: one of which a path alone is blocked has good pages, too.
fn whole_domains(domains: &[String]) -> Vec<&str> {
    let whole = domains.iter().filter(|domain| !domain.contains('/'));
    whole.map(String::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_request_shows_its_key() {
        for service in [
            SearchService::Searxng,
            SearchService::Brave,
            SearchService::Tavily,
            SearchService::Exa,
            SearchService::Anthropic {
                model: String::new(),
            },
        ] {
            let name = format!("{service:?}");
            let key = Some(SecretText::new("the-key".to_owned()));
            let dialect = dialect(service, None, key);
            let http = Client::builder().build().unwrap();
            let request = dialect.request(&http, &Query::default(), 1);
            let shown = format!("{:?}", request.build().unwrap().headers());
            assert!(shown.contains("Sensitive"), "{name}: {shown}");
            assert!(!shown.contains("the-key"), "{name}: {shown}");
        }
    }
}
