//! What has named an address: what the user wrote, what the client's tools answered, what was found and fetched.
//!
//! What a model writes, what is attached, and what comes from the sandbox or from MCP servers names none: an address
//! that a model has made up of what it knows would carry that away. Neither does a result that is an error, which
//! repeats what the model has asked for.

use std::borrow::Cow;

use hostler_protocol::agent::{
    BuiltinTool, BuiltinToolConfig, SessionAgent, Tool, UrlSource, UrlSources,
};
use hostler_protocol::content::{ContentBlock, SearchText, Source};
use hostler_protocol::event::{Event, Seq};
use serde::{Deserialize, Serialize};

use super::address::WebAddress;
use super::domains::DomainRules;
use crate::session::{Standing, ToolCall};

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
    texts(content, source).any(|text| {
        readings(text, source).any(|reading| {
            WebAddress::parse(&reading)
                .is_ok_and(|named| named == *address || Some(&named) == plain.as_ref())
        })
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

/// Every way to read an address out of a text. Prose does not say where one ends: a full stop behind it is
/// mostly not a part of it, and sometimes is.
fn readings<'a>(
    text: &'a str,
    source: &AddressSource,
) -> impl Iterator<Item = Cow<'a, str>> + use<'a> {
    let is_user = *source == AddressSource::User;
    // Markdown has marks before some characters that mean something to it.
    let is_markdown = *source == AddressSource::WebFetch;
    pieces(text).flat_map(move |piece| {
        let mut found: Vec<Cow<'a, str>> = Vec::new();
        for (start, _) in piece.match_indices("://") {
            let Some(start) = scheme_start(piece, start) else {
                continue;
            };
            let whole = &piece[start..];
            found.extend([whole, trimmed(whole)].map(Cow::Borrowed));
            // `[words](address)` with more behind it.
            let inner = whole.split(')').next().unwrap_or(whole);
            found.extend([inner, trimmed(inner)].map(Cow::Borrowed));
            if is_markdown && whole.contains('\\') {
                let plain = whole.replace('\\', "");
                found.push(Cow::Owned(trimmed(&plain).to_owned()));
                found.push(Cow::Owned(plain));
            }
        }
        if is_user && found.is_empty() {
            let bare = trimmed(piece.trim_start_matches(['(', '[', '\'', '*', '_']));
            found.extend(looks_like_a_site(bare).then(|| Cow::Owned(format!("https://{bare}"))));
        }
        found
    })
}

/// What stands between white space and marks that no address has.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || "<>\"`“”‘’«»„，。、；：！？（）【】「」『』".contains(c)
    };
    text.split(ends).filter(|piece| !piece.is_empty())
}

/// Where `http` or `https` begins that ends before `end`.
fn scheme_start(piece: &str, end: usize) -> Option<usize> {
    ["https", "http"].into_iter().find_map(|scheme| {
        let start = end.checked_sub(scheme.len())?;
        let found = piece.get(start..end)?;
        found.eq_ignore_ascii_case(scheme).then_some(start)
    })
}

/// Without the marks that a sentence puts behind an address, and the brackets that it stands in.
fn trimmed(text: &str) -> &str {
    let mut text = text;
    loop {
        let shorter =
            text.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '*', '_', '~', '|']);
        let shorter = [('(', ')'), ('[', ']'), ('{', '}')].into_iter().fold(
            shorter,
            |text, (open, close)| {
                let is_alone = text.ends_with(close)
                    && text.matches(close).count() > text.matches(open).count();
                if is_alone {
                    &text[..text.len() - 1]
                } else {
                    text
                }
            },
        );
        if shorter.len() == text.len() {
            return text;
        }
        text = shorter;
    }
}

/// `example.com/docs`: what people write for an address.
fn looks_like_a_site(text: &str) -> bool {
    let host = text.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let top = host.rsplit('.').next().unwrap_or_default();
    host.contains('.')
        && !host.contains('@')
        && host.split('.').all(|label| !label.is_empty())
        && top.chars().count() >= 2
        && top.chars().all(char::is_alphabetic)
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
