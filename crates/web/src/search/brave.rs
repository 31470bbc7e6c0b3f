//! The Brave Search API: `GET /res/v1/web/search`.

use hostler_protocol::secret::SecretText;
use reqwest::{Client, RequestBuilder, Url};
use serde::Deserialize;

use super::{Dialect, Hit, Query, place, with_key, with_sites};

/// What it gives at most.
const COUNT_MAX: usize = 20;

pub(super) struct Brave {
    pub(super) url: Option<Url>,
    pub(super) key: Option<SecretText>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "type")]
    _kind: Kind,
    /// Absent when nothing was found.
    web: Option<Web>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Search,
}

#[derive(Deserialize)]
struct Web {
    results: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    url: String,
    title: String,
    description: Option<String>,
    #[serde(default)]
    extra_snippets: Vec<String>,
}

impl Dialect for Brave {
    fn query_chars_max(&self) -> usize {
        400
    }

    fn request(&self, http: &Client, query: &Query, results_max: usize) -> RequestBuilder {
        let url = place(
            self.url.as_ref(),
            "https://api.search.brave.com",
            "/res/v1/web/search",
        );
        let count = results_max.min(COUNT_MAX).to_string();
        let text = with_sites(query);
        let mut request = http
            .get(url)
            .query(&[
                ("q", text.as_str()),
                ("count", &count),
                // Else the words that were looked for stand in marks of HTML.
                ("text_decorations", "false"),
                ("result_filter", "web"),
            ])
            .header("accept", "application/json");
        if let Some(country) = &query.country {
            request = request.header("x-loc-country", country);
        }
        with_key(request, "x-subscription-token", self.key.as_ref())
    }

    fn hits(&self, body: &[u8]) -> Option<Vec<Hit>> {
        let answer: Answer = serde_json::from_slice(body).ok()?;
        let found = answer.web.map(|web| web.results).unwrap_or_default();
        let hit = |found: Found| {
            let said = found.description.into_iter().chain(found.extra_snippets);
            Hit {
                url: found.url,
                title: found.title,
                snippet: said.collect::<Vec<_>>().join(" … "),
            }
        };
        Some(found.into_iter().map(hit).collect())
    }
}
