//! `web_fetch` and `web_search`, which the server carries out itself: no sandbox is opened for either, unless a page
//! is so long that it is kept there.

mod definitions;
mod fetching;
mod provenance;
mod searching;

use hostler_domain::session::ToolCall;
use hostler_domain::web::AddressRow;
use hostler_protocol::agent::{BuiltinTool, SessionAgent};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::id::SessionId;
use hostler_sandbox::Parting;
use hostler_web::{Fetcher, Searcher};
use serde_json::Value;

use crate::options::Parts;

pub(crate) use definitions::{Offered, definitions, offered};

/// What an operator has set up of the two.
#[derive(Debug, Clone, Default)]
pub struct WebTools {
    /// `None`: agents fetch nothing.
    pub fetch: Option<Fetcher>,
    /// `None`: there is no search service.
    pub search: Option<Searcher>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WebTool {
    Fetch,
    Search,
}

impl WebTool {
    pub(crate) const ALL: [Self; 2] = [Self::Fetch, Self::Search];

    pub(crate) fn builtin(self) -> BuiltinTool {
        match self {
            Self::Fetch => BuiltinTool::WebFetch,
            Self::Search => BuiltinTool::WebSearch,
        }
    }

    /// The one that a call is of.
    pub(crate) fn of(call: &ToolCall) -> Option<Self> {
        let is_own = call.mcp_server.is_none();
        let tool = Self::ALL
            .into_iter()
            .find(|tool| tool.builtin().name() == call.name);
        tool.filter(|_| is_own)
    }
}

/// A call of one of the two.
pub(crate) struct WebCall<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) session: SessionId,
    pub(crate) agent: &'a SessionAgent,
    /// Of the call's event.
    pub(crate) id: String,
    pub(crate) input: &'a Value,
    pub(crate) parting: &'a Parting,
}

/// What came of it.
pub(crate) struct WebResult {
    pub(crate) content: Vec<ContentBlock>,
    pub(crate) is_error: bool,
    /// Requests to the search service, which are counted.
    pub(crate) searches: u64,
}

/// A refusal or a failure: a word that models know, and a sentence.
pub(crate) struct WebError {
    code: &'static str,
    sentence: String,
}

impl WebError {
    fn new(code: &'static str, sentence: impl Into<String>) -> Self {
        let sentence = sentence.into();
        Self { code, sentence }
    }
}

impl WebCall<'_> {
    /// `sources` are the rows of the log that may have named the address to fetch.
    pub(crate) async fn run(&self, tool: WebTool, sources: &[AddressRow]) -> WebResult {
        let done = match tool {
            WebTool::Search => searching::search(self).await,
            WebTool::Fetch => fetching::fetch(self, sources).await,
        };
        let outcome = done.as_ref().map_or_else(|error| error.code, |_| "ok");
        let name = tool.builtin().name();
        metrics::counter!("hostler_web_requests_total", "tool" => name, "outcome" => outcome)
            .increment(1);
        done.unwrap_or_else(|WebError { code, sentence }| WebResult {
            content: vec![ContentBlock::text(format!("{code}: {sentence}."))],
            is_error: true,
            searches: 0,
        })
    }

    /// The one text that each of the tools is given.
    fn text(&self, name: &str) -> Result<&str, WebError> {
        let fields = self.input.as_object();
        let value = fields.and_then(|fields| fields.get(name)?.as_str());
        let is_alone = fields.is_some_and(|fields| fields.len() == 1);
        value
            .filter(|text| is_alone && !text.trim().is_empty())
            .ok_or_else(|| {
                let sentence =
                    format!("the input should be an object with the text `{name}` alone");
                WebError::new("invalid_tool_input", sentence)
            })
    }
}
