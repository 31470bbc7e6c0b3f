//! Tavily: `POST /search`.

use hostler_protocol::secret::SecretText;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::json;

use super::{Dialect, Hit, Query, bare_domains, place, whole_domains};
use crate::error::SearchError;

/// What it gives at most.
const RESULTS_MAX: usize = 20;

pub(super) struct Tavily {
    pub(super) url: Option<Url>,
    pub(super) key: Option<SecretText>,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    url: String,
    title: Option<String>,
    content: Option<String>,
}

impl Dialect for Tavily {
    fn query_chars_max(&self) -> usize {
        400
    }

    fn request(&self, http: &Client, query: &Query, results_max: usize) -> RequestBuilder {
        let url = place(self.url.as_ref(), "https://api.tavily.com", "/search");
        let body = json!({
            "query": query.text,
            "max_results": results_max.min(RESULTS_MAX),
            "include_domains": bare_domains(&query.allowed_domains),
            "exclude_domains": whole_domains(&query.blocked_domains),
        });
        let request = http.post(url).json(&body);
        match &self.key {
            Some(key) => request.bearer_auth(key.expose()),
            None => request,
        }
    }

    fn hits(&self, body: &[u8]) -> Option<Vec<Hit>> {
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let hit = |found: Found| Hit {
            title: found.title.unwrap_or_else(|| found.url.clone()),
            snippet: found.content.unwrap_or_default(),
            url: found.url,
        };
        Some(answer.results.into_iter().map(hit).collect())
    }

    fn refusal(&self, status: u16) -> Option<SearchError> {
        let message = "the plan with the search service is used up";
        matches!(status, 432 | 433).then(|| SearchError::Unavailable(message.to_owned()))
    }
}
