//! What has named an address: what the user wrote, what the client's tools answered, what was found and fetched.
//!
//! What a model writes, what is attached, and what comes from the sandbox or from MCP servers names none: an address
//! that a model has made up of what it knows would carry that away. Neither does a result that is an error, which
//! repeats what the model has asked for.

use hostler_protocol::agent::{
    BuiltinTool, BuiltinToolConfig, SessionAgent, Tool, UrlSource, UrlSources,
};
use hostler_protocol::content::{ContentBlock, SearchText, Source};
use hostler_protocol::event::{Event, Seq};
use serde::{Deserialize, Serialize};

use super::address::WebAddress;
use super::domains::DomainRules;
use super::readings::readings;
use crate::session::{Standing, ToolCall};

/// Readings of one row that are looked at: each address has one to eight. Who writes more of them wants to cost time.
const READINGS_MAX: usize = 20_000;

/// A row of the log in which there may be addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressRow {
    pub seq: Seq,
    pub source: AddressSource,
}

/// Who has written what is in such a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressSource {
    User,
    /// A tool that the client runs.
    Client(String),
    WebSearch,
    WebFetch,
}

/// Whose result that of a call is, if it counts.
pub(crate) fn source_of_call(call: &ToolCall) -> Option<AddressSource> {
    if call.mcp_server.is_some() {
        return None;
    }
    if call.standing == Standing::Custom {
        return Some(AddressSource::Client(call.name.clone()));
    }
    match BuiltinTool::from_name(&call.name)? {
        BuiltinTool::WebFetch => Some(AddressSource::WebFetch),
        BuiltinTool::WebSearch => Some(AddressSource::WebSearch),
        BuiltinTool::Bash
        | BuiltinTool::Read
        | BuiltinTool::Write
        | BuiltinTool::Edit
        | BuiltinTool::Glob
        | BuiltinTool::Grep => None,
    }
}

/// Whether an agent lets `web_fetch` open what this source has named.
pub fn is_accepted(sources: Option<&UrlSources>, source: &AddressSource) -> bool {
    let Some(sources) = sources else {
        return true;
    };
    let includes = |chosen: &Option<UrlSource>, tool: &str| {
        chosen.as_ref().is_none_or(|chosen| chosen.includes(tool))
    };
    match source {
        AddressSource::User => includes(&sources.user_input, "user"),
        AddressSource::Client(tool) => includes(&sources.client_tool_results, tool),
        AddressSource::WebSearch => includes(&sources.server_tool_results, "web_search"),
        AddressSource::WebFetch => includes(&sources.server_tool_results, "web_fetch"),
    }
}

/// The lists of an agent for one of its web tools.
pub fn rules_of(
    agent: &SessionAgent,
    tool: BuiltinTool,
    hosts: Option<Vec<String>>,
) -> DomainRules {
    let config = agent.tools.iter().find_map(|entry| match entry {
        Tool::AgentToolset(toolset) => toolset.config(tool),
        Tool::McpToolset(_) | Tool::Custom(_) => None,
    });
    let (allowed, blocked) = match config {
        Some(BuiltinToolConfig::WebFetch(config)) => (
            config.allowed_domains.clone(),
            config.blocked_domains.clone(),
        ),
        Some(BuiltinToolConfig::WebSearch(config)) => (
            config.allowed_domains.clone(),
            config.blocked_domains.clone(),
        ),
        Some(
            BuiltinToolConfig::Bash(_)
            | BuiltinToolConfig::Read(_)
            | BuiltinToolConfig::Write(_)
            | BuiltinToolConfig::Edit(_)
            | BuiltinToolConfig::Glob(_)
            | BuiltinToolConfig::Grep(_),
        )
        | None => (None, None),
    };
    DomainRules {
        allowed,
        blocked,
        hosts,
    }
}

/// Whether content may name an address at all, so that its row is worth a look. Cheap: most results have none.
pub(crate) fn holds_address(content: &[ContentBlock], source: &AddressSource) -> bool {
    let sign = match source {
        // A user may leave the scheme out.
        AddressSource::User => ".",
        AddressSource::Client(_) | AddressSource::WebSearch | AddressSource::WebFetch => ":",
    };
    texts(content, source).any(|text| text.contains(sign))
}

/// Whether a row of the log names an address.
pub fn names_address(event: &Event, source: &AddressSource, address: &WebAddress) -> bool {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "three kinds of rows have a source"
    )]
    let content = match event {
        Event::UserMessage(message) => &message.content,
        Event::UserCustomToolResult(result) => &result.content,
        Event::AgentToolResult(result) => &result.content,
        _ => return false,
    };
    let plain = address.without_tls();
    let readings = texts(content, source).flat_map(|text| readings(text, source));
    readings.take(READINGS_MAX).any(|reading| {
        WebAddress::parse(&reading)
            .is_ok_and(|named| named == *address || Some(&named) == plain.as_ref())
    })
}

/// The texts of content that count. What a user attaches he has not necessarily read.
fn texts<'a>(
    content: &'a [ContentBlock],
    source: &'a AddressSource,
) -> impl Iterator<Item = &'a str> {
    content.iter().flat_map(move |block| -> Vec<&'a str> {
        match block {
            ContentBlock::Text { text } => vec![text],
            ContentBlock::Document {
                source: Source::Text { data, .. },
                ..
            } if *source != AddressSource::User => vec![data],
            ContentBlock::SearchResult {
                source, content, ..
            } => {
                let parts = content
                    .iter()
                    .map(|SearchText::Text { text }| text.as_str());
                std::iter::once(source.as_str()).chain(parts).collect()
            }
            ContentBlock::Document { .. } | ContentBlock::Image { .. } => Vec::new(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(source: &AddressSource, text: &str, url: &str) -> bool {
        let event = Event::UserMessage(hostler_protocol::event::UserMessage {
            content: vec![ContentBlock::text(text)],
        });
        names_address(&event, source, &WebAddress::parse(url).unwrap())
    }

    #[test]
    fn an_address_is_found_in_what_people_write() {
        for (text, url) in [
            ("see https://example.com/a.", "https://example.com/a"),
            ("(https://example.com/a_(b))", "https://example.com/a_(b)"),
            ("**https://example.com/a**!", "https://example.com/a"),
            ("<https://example.com/a>", "https://example.com/a"),
            ("[x](https://example.com/a), or", "https://example.com/a"),
            ("HTTPS://EXAMPLE.com/a", "https://example.com/a"),
            ("https://example.com/a#part", "https://example.com/a#other"),
            ("https://example.com/what?", "https://example.com/what"),
            ("读 https://example.com/a。然后", "https://example.com/a"),
            ("http://example.com/a", "https://example.com/a"),
            (
                "look at example.com/docs, please",
                "https://example.com/docs",
            ),
            (
                "https://bücher.example/x",
                "https://xn--bcher-kva.example/x",
            ),
            (
                "https://example.com/a?x=1&y=2",
                "https://example.com/a?x=1&y=2",
            ),
        ] {
            assert!(names(&AddressSource::User, text, url), "{text}");
        }
    }

    #[test]
    fn what_was_not_named_is_not_found() {
        for (text, url) in [
            ("https://example.com/a", "https://example.com/a?secret=1"),
            ("https://example.com/a", "https://example.com/"),
            ("https://example.com/abc", "https://example.com/a"),
            ("https://example.com/a", "http://example.com/a"),
            ("https://example.com/a", "https://example.com:8443/a"),
            ("https://example.com/a", "https://a.example.com/a"),
            ("https://example.com%2eevil.net/", "https://example.com/"),
            ("https://examp\u{200b}le.com/a%20b", "https://example.com/a"),
            ("https://user@example.com/", "https://example.com/"),
            ("https://exаmple.com/", "https://example.com/"),
            ("me@example.com wrote", "https://example.com/"),
            ("in main.rs, v1.2", "https://example.com/"),
        ] {
            assert!(!names(&AddressSource::User, text, url), "{text}");
        }
        // Only people leave the scheme out.
        let fetched = AddressSource::WebFetch;
        assert!(!names(&fetched, "example.com/a", "https://example.com/a"));
    }

    #[test]
    fn marks_of_markdown_are_no_part_of_an_address() {
        let page = "see https://example.com/a\\_b\\*c, or [that](https://example.com/d_e \"t\").";
        for url in ["https://example.com/a_b*c", "https://example.com/d_e"] {
            assert!(names(&AddressSource::WebFetch, page, url), "{url}");
        }
    }

    /// Some of these took minutes to hours: a message may have 32 MiB, and a page whatever its author likes.
    #[test]
    fn a_text_that_is_written_to_cost_time_costs_little() {
        let secret = "https://example.com/secret";
        let brackets = ")".repeat(1 << 15);
        for hostile in [
            format!("https://example.com/a{brackets}"),
            format!("{}{brackets}", "http://".repeat(1 << 15)),
            "https://example.com/(".repeat(1 << 15),
            format!("{}) ", "https://example.com/".repeat(100)).repeat(100),
            format!("{}]\\ ", "https://example.com/".repeat(100)).repeat(100),
        ] {
            for source in [AddressSource::User, AddressSource::WebFetch] {
                assert!(!names(&source, &hostile, secret));
                // What stands in front of it is found all the same.
                assert!(names(&source, &format!("{secret} {hostile}"), secret));
            }
        }
        let links = format!("[a](https://example.com/x)[b]({secret})").repeat(1_000);
        assert!(names(&AddressSource::WebFetch, &links, secret));
    }

    #[test]
    fn an_agent_chooses_the_sources() {
        let sources: UrlSources = serde_json::from_value(serde_json::json!({
            "user_input": {"type": "none"},
            "client_tool_results": {"type": "only", "tools": [{"type": "tool_reference", "name": "crm"}]},
            "server_tool_results": {"type": "except", "tools": [{"type": "tool_reference", "name": "web_fetch"}]},
        }))
        .unwrap();
        let accepts = |source| is_accepted(Some(&sources), &source);
        assert!(!accepts(AddressSource::User));
        assert!(accepts(AddressSource::Client("crm".to_owned())));
        assert!(!accepts(AddressSource::Client("other".to_owned())));
        assert!(accepts(AddressSource::WebSearch) && !accepts(AddressSource::WebFetch));
        assert!(is_accepted(None, &AddressSource::User));
    }
}
