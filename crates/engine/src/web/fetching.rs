//! One call of `web_fetch`: an address that was named and is permitted becomes a document.

use hostler_domain::tools;
use hostler_domain::web::{AddressRow, WebAddress, rules_of};
use hostler_protocol::agent::{BuiltinTool, BuiltinToolConfig, SessionAgent, Tool};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_web::{Fetched, Url};

use super::{WebCall, WebError, WebResult, provenance};
use crate::limits::{BYTES_PER_TOKEN, FETCHED_CHARS_MAX, FETCHED_SHOWN_CHARS};
use crate::mcp;
use crate::network;

pub(super) async fn fetch(
    call: &WebCall<'_>,
    sources: &[AddressRow],
) -> Result<WebResult, WebError> {
    let Some(fetcher) = &call.parts.web.fetch else {
        return Err(WebError::new(
            "unavailable",
            "web_fetch is switched off on this server (web.fetch in its configuration)",
        ));
    };
    let address = WebAddress::parse(call.text("url")?)
        .map_err(|problem| WebError::new(problem.code(), problem.to_string()))?;
    let hosts = network::web_hosts(call.parts, call.session).await;
    let hosts = hosts.map_err(|error| WebError::new("unavailable", error.to_string()))?;
    let rules = rules_of(call.agent, BuiltinTool::WebFetch, hosts);
    let not_allowed = |sentence| WebError::new("url_not_allowed", sentence);
    rules.check(&address).map_err(not_allowed)?;
    let (store, session) = (&call.parts.store, call.session);
    let named = provenance::is_named(store, session, call.agent, sources, &address).await;
    let named = named.map_err(|error| {
        tracing::error!(%session, %error, "the log can't be read for web_fetch");
        WebError::new("unavailable", "the log of this session can't be read")
    })?;
    if !named {
        return Err(WebError::new(
            "url_not_in_prior_context",
            "only an address that stands, in full, in a message of the user or in a result that counts can be \
             fetched: ask the user for it, or search for it",
        ));
    }
    let permits = |url: &Url| {
        let address = WebAddress::of(url.clone()).map_err(|problem| problem.to_string())?;
        rules.check(&address)
    };
    // It holds a request with all that TLS needs, which is large.
    let fetched = Box::pin(fetcher.fetch(address.url().clone(), &permits)).await;
    let fetched = fetched.map_err(|error| WebError::new(error.code(), error.to_string()))?;
    Ok(WebResult {
        content: shown(call, &address, fetched).await,
        is_error: false,
        searches: 0,
    })
}

/// The document, and what there is to say about it.
async fn shown(call: &WebCall<'_>, asked: &WebAddress, fetched: Fetched) -> Vec<ContentBlock> {
    let mut notes = Vec::new();
    if fetched.url != *asked.url() {
        notes.push(format!("It was found at {}", fetched.url));
    }
    let mut text = fetched.text;
    if fetched.is_cut {
        notes.push("The page is longer than what is read of one: this is its beginning".to_owned());
    }
    if let Some(tokens) = max_content_tokens(call.agent) {
        let bytes = tokens.saturating_mul(BYTES_PER_TOKEN);
        if text.len() > bytes {
            cut(&mut text, bytes);
            notes.push(format!(
                "The text is longer than max_content_tokens: these are about its first {tokens} tokens"
            ));
        }
    }
    notes.extend(keep_long(call, &mut text).await);
    let document = ContentBlock::Document {
        source: Source::Text {
            media_type: "text/plain".to_owned(),
            data: text,
        },
        title: fetched.title,
        context: Some(fetched.url.to_string()),
    };
    let notes = (!notes.is_empty()).then(|| ContentBlock::text(format!("[{}.]", notes.join(". "))));
    std::iter::once(document).chain(notes).collect()
}

/// Of a text that is too long for a result the sandbox gets all of it, and the model its beginning.
async fn keep_long(call: &WebCall<'_>, text: &mut String) -> Option<String> {
    let chars = text.chars().count();
    if chars <= FETCHED_CHARS_MAX {
        return None;
    }
    let (shown, place) = if tools::needs_sandbox(call.agent) {
        let path = format!("/tmp/tool_outputs/{}.txt", call.id);
        let id = format!("{}-kept", call.id);
        let kept = mcp::keep_text(call.parts, call.session, &id, &path, text, call.parting).await;
        let place = match kept {
            Ok(()) => format!("the whole is in {path}"),
            Err(why) => format!("the rest is lost, since it can't be kept in the sandbox: {why}"),
        };
        (FETCHED_SHOWN_CHARS, place)
    } else {
        (FETCHED_CHARS_MAX, "the rest is left out".to_owned())
    };
    let end = text.char_indices().nth(shown);
    text.truncate(end.map_or(text.len(), |(end, _)| end));
    Some(format!(
        "The first {shown} of {chars} characters are shown; {place}"
    ))
}

/// At the end of a character.
fn cut(text: &mut String, bytes: usize) {
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0).max(1));
}

fn max_content_tokens(agent: &SessionAgent) -> Option<usize> {
    let config = agent.tools.iter().find_map(|tool| match tool {
        Tool::AgentToolset(toolset) => toolset.config(BuiltinTool::WebFetch),
        Tool::McpToolset(_) | Tool::Custom(_) => None,
    })?;
    let BuiltinToolConfig::WebFetch(config) = config else {
        return None;
    };
    let tokens = config.max_content_tokens?;
    Some(usize::try_from(tokens).unwrap_or(usize::MAX))
}
