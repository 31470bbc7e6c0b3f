//! Section `[web]`: what the tools `web_fetch` and `web_search` reach. Both run on the server; which addresses pages may
//! be at is in `[network]`.

use std::path::PathBuf;
use std::time::Duration;

use hostler_protocol::secret::SecretText;
use hostler_web::{SearchOptions, SearchService};
use serde::{Deserialize, Serialize};

use super::key_file::read_key;
use super::problem::Problem;
use super::quantity::Span;
use super::resolve::Resolving;
use super::secret::Secret;
use super::server::is_http_url;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawWeb {
    /// Whether agents may fetch pages with `web_fetch`.
    pub fetch: bool,
    /// Give a page up that is not there after this long, all that it leads to included.
    pub fetch_timeout: Span,
    /// Who is asked by `web_search`: `searxng` (which you run yourself), `brave`, `tavily`, `exa`, or `anthropic`, whose models
    /// search by themselves. With `none`, the default, the tool answers that there is nobody to ask.
    /// Example: search = "anthropic"
    pub search: SearchChoice,
    /// Where the search service is, without the path. Needed for `searxng`, and for a gateway in front of another.
    /// Example: search_url = "http://127.0.0.1:8888"
    pub search_url: Option<String>,
    /// The model that searches with `anthropic`. Each search is a request to it, with tokens of its own.
    /// Example: search_model = "claude-haiku-4-5"
    pub search_model: Option<String>,
    /// The key for it. Refused in this file: set the environment variable `HOSTLER__WEB__SEARCH_KEY`, or name a file with
    /// `search_key_file`. A key from the environment wins.
    pub search_key: Option<Secret>,
    /// A file that holds the key and nothing else.
    /// Example: search_key_file = "/etc/hostler/search.key"
    pub search_key_file: Option<PathBuf>,
    /// Give a search up that is not answered after this long. It is not made again: it may cost money.
    pub search_timeout: Span,
    /// Results that a model is shown of one search.
    pub search_results: u16,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchChoice {
    #[default]
    None,
    Searxng,
    Brave,
    Tavily,
    Exa,
    Anthropic,
}

impl Default for RawWeb {
    fn default() -> Self {
        Self {
            fetch: true,
            fetch_timeout: Span(Duration::from_secs(30)),
            search: SearchChoice::None,
            search_url: None,
            search_model: None,
            search_key: None,
            search_key_file: None,
            search_timeout: Span(Duration::from_secs(20)),
            search_results: 10,
        }
    }
}

/// The resolved section.
#[derive(Debug, Clone)]
pub struct WebOptions {
    /// How long a page may take; `None` where none is fetched.
    pub fetch: Option<Duration>,
    pub search: Option<SearchOptions>,
}

/// The longest that either may take.
const TIMEOUT_MAX: Duration = Duration::from_secs(5 * 60);
const RESULTS_MAX: u16 = 50;

impl RawWeb {
    pub(super) fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> WebOptions {
        let spans = [
            ("fetch_timeout", self.fetch_timeout),
            ("search_timeout", self.search_timeout),
        ];
        for (key, span) in spans {
            if span.0.is_zero() || span.0 > TIMEOUT_MAX {
                let longest = Span(TIMEOUT_MAX);
                let message = format!("must be more than 0 and at most {longest}");
                problems.push(at.problem(&["web", key], message));
            }
        }
        if !(1..=RESULTS_MAX).contains(&self.search_results) {
            let message = format!("must be from 1 to {RESULTS_MAX}");
            problems.push(at.problem(&["web", "search_results"], message));
        }
        WebOptions {
            fetch: self.fetch.then_some(self.fetch_timeout.0),
            search: self.service(at, problems),
        }
    }

    fn service(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Option<SearchOptions> {
        let service = match self.search {
            SearchChoice::None => return self.without_service(at, problems),
            SearchChoice::Searxng => SearchService::Searxng,
            SearchChoice::Brave => SearchService::Brave,
            SearchChoice::Tavily => SearchService::Tavily,
            SearchChoice::Exa => SearchService::Exa,
            SearchChoice::Anthropic => SearchService::Anthropic {
                model: self.model_that_searches(at, problems),
            },
        };
        if self.search != SearchChoice::Anthropic && self.search_model.is_some() {
            let message = "has a meaning only where web.search is `anthropic`";
            problems.push(at.key_problem(&["web", "search_model"], message));
        }
        let key = self.key(at, problems);
        if key.is_none() && service != SearchService::Searxng {
            let message = "needs a key: set HOSTLER__WEB__SEARCH_KEY or search_key_file";
            problems.push(at.problem(&["web", "search"], message));
        }
        let url = self.search_url.as_deref();
        if url.is_none() && service == SearchService::Searxng {
            let message = "`searxng` needs search_url: there is no usual place for it";
            problems.push(at.problem(&["web", "search"], message));
        }
        if url.is_some_and(|url| !is_http_url(url)) {
            let message = "must be an http or https URL";
            problems.push(at.problem(&["web", "search_url"], message));
        }
        Some(SearchOptions {
            service,
            url: url.and_then(|url| url.parse().ok()),
            key,
            timeout: self.search_timeout.0,
            results_max: self.search_results.into(),
        })
    }

    fn model_that_searches(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> String {
        let model = self.search_model.as_deref().unwrap_or_default().trim();
        if model.is_empty() {
            let message = "`anthropic` needs search_model: a model that has the tool web_search";
            problems.push(at.problem(&["web", "search"], message));
        }
        model.to_owned()
    }

    /// What only a service would use is refused without one.
    fn without_service(
        &self,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<SearchOptions> {
        let given = [
            ("search_url", self.search_url.is_some()),
            ("search_model", self.search_model.is_some()),
            ("search_key", self.search_key.is_some()),
            ("search_key_file", self.search_key_file.is_some()),
        ];
        for (key, _) in given.iter().filter(|(_, is_given)| *is_given) {
            let message = "has no meaning while web.search is `none`";
            problems.push(at.key_problem(&["web", key], message));
        }
        None
    }

    fn key(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Option<SecretText> {
        if let Some(key) = &self.search_key {
            let key = key.expose().trim();
            return (!key.is_empty()).then(|| SecretText::new(key.to_owned()));
        }
        let file = self.search_key_file.as_deref()?;
        let path = at.path(&["web", "search_key_file"], file);
        match read_key(&path) {
            Ok(key) => Some(SecretText::new(key.expose().to_owned())),
            Err(message) => {
                let message = format!("{}: {message}", path.display());
                problems.push(at.problem(&["web", "search_key_file"], message));
                None
            }
        }
    }
}
