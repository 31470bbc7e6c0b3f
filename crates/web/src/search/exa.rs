//! Exa: `POST /search` with highlights of each page.

use hostler_protocol::secret::SecretText;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;
use serde_json::json;

use super::{Dialect, Hit, Query, bare_domains, place, whole_domains, with_key};
use crate::error::SearchError;

/// What it gives at most.
const RESULTS_MAX: usize = 100;

pub(super) struct Exa {
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
    #[serde(default)]
    highlights: Vec<String>,
    text: Option<String>,
}

impl Dialect for Exa {
    fn query_chars_max(&self) -> usize {
        1_000
    }

    fn request(&self, http: &Client, query: &Query, results_max: usize) -> RequestBuilder {
        let url = place(self.url.as_ref(), "https://api.exa.ai", "/search");
        let mut body = json!({
            "query": query.text,
            "numResults": results_max.min(RESULTS_MAX),
            "contents": {"highlights": true},
        });
        // It takes one list or the other.
        let (allowed, blocked) = (
            bare_domains(&query.allowed_domains),
            whole_domains(&query.blocked_domains),
        );
        if !allowed.is_empty() {
            body["includeDomains"] = json!(allowed);
        } else if !blocked.is_empty() {
            body["excludeDomains"] = json!(blocked);
        }
        if let Some(country) = &query.country {
            body["userLocation"] = json!(country);
        }
        let request = http.post(url).json(&body);
        with_key(request, "x-api-key", self.key.as_ref())
    }

    fn hits(&self, body: &[u8]) -> Option<Vec<Hit>> {
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let hit = |found: Found| {
            let highlights = found.highlights.join(" … ");
            let snippet = match highlights.is_empty() {
                true => found.text.unwrap_or_default(),
                false => highlights,
            };
            Hit {
                title: found.title.unwrap_or_else(|| found.url.clone()),
                snippet,
                url: found.url,
            }
        };
        Some(answer.results.into_iter().map(hit).collect())
    }

    fn refusal(&self, status: u16) -> Option<SearchError> {
        let message = "the credits with the search service are used up";
        (status == 402).then(|| SearchError::Unavailable(message.to_owned()))
    }
}
