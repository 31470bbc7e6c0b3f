//! SearXNG, which an operator runs himself: `GET /search` with `format=json`.

use hostler_protocol::secret::SecretText;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;

use super::{Dialect, Hit, Query, place, with_sites};
use crate::error::SearchError;

pub(super) struct Searxng {
    pub(super) url: Option<Url>,
    /// For a gateway in front of it.
    pub(super) key: Option<SecretText>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    url: Option<String>,
    title: Option<String>,
    content: Option<String>,
}

impl Dialect for Searxng {
    fn query_chars_max(&self) -> usize {
        1_000
    }

    fn request(&self, http: &Client, query: &Query, _results_max: usize) -> RequestBuilder {
        let url = place(self.url.as_ref(), "http://127.0.0.1:8888", "/search");
        let text = with_sites(query);
        let request = http
            .get(url)
            .query(&[("q", text.as_str()), ("format", "json")]);
        match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        }
    }

    fn hits(&self, body: &[u8]) -> Option<Vec<Hit>> {
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let hit = |found: Found| {
            let url = found.url?;
            Some(Hit {
                title: found.title.unwrap_or_else(|| url.clone()),
                snippet: found.content.unwrap_or_default(),
                url,
            })
        };
        Some(answer.results.into_iter().filter_map(hit).collect())
    }

    fn refusal(&self, status: u16) -> Option<SearchError> {
        let message = "SearXNG answered 403: add json to search.formats in its settings.yml";
        (status == 403).then(|| SearchError::Unavailable(message.to_owned()))
    }
}
