//! Running a call of an MCP server's tool.

use hostler_mcp::{Block, Outcome};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::plain::plain;
use hostler_sandbox::{Call, Parting, Tool};
use serde_json::{Value, json};

use crate::limits::{MCP_RESULT_CHARS_MAX, MCP_RESULT_SHOWN_CHARS};
use crate::options::Parts;
use crate::session_sandbox;

/// What a model is shown of a result.
pub(crate) fn content(outcome: Outcome) -> (Vec<ContentBlock>, bool) {
    let blocks = outcome.blocks.into_iter().map(|block| match block {
        Block::Text(text) => ContentBlock::text(plain(&text)),
        Block::Image { media_type, data } => ContentBlock::Image {
            source: Source::Base64 { media_type, data },
        },
        Block::Document { media_type, data } => ContentBlock::Document {
            source: Source::Base64 { media_type, data },
            title: None,
            context: None,
        },
    });
    let mut blocks: Vec<_> = blocks.collect();
    if blocks.is_empty() {
        blocks.push(ContentBlock::text("(no output)"));
    }
    (blocks, outcome.is_error)
}

/// Puts the texts of a result into a file of the sandbox if they are too long together, and leaves their beginning.
pub(crate) async fn spill(
    parts: &Parts,
    session: hostler_protocol::id::SessionId,
    call: &str,
    blocks: &mut Vec<ContentBlock>,
    parting: &Parting,
) {
    let texts: Vec<&str> = blocks.iter().filter_map(text_of).collect();
    let whole = texts.join("\n");
    let chars = whole.chars().count();
    if chars <= MCP_RESULT_CHARS_MAX {
        return;
    }
    let path = format!("/tmp/tool_outputs/{call}.txt");
    let id = format!("{call}-kept");
    let place = match keep_text(parts, session, &id, &path, &whole, parting).await {
        Ok(()) => format!("the whole is in {path}"),
        Err(why) => format!("the rest is lost, since it can't be kept in the sandbox: {why}"),
    };
    let mut left = MCP_RESULT_SHOWN_CHARS;
    blocks.retain_mut(|block| {
        let ContentBlock::Text { text } = block else {
            return true;
        };
        let is_shown = left > 0;
        let end = text.char_indices().nth(left);
        text.truncate(end.map_or(text.len(), |(end, _)| end));
        left -= text.chars().count();
        is_shown
    });
    blocks.push(ContentBlock::text(format!(
        "[the first {MCP_RESULT_SHOWN_CHARS} of {chars} characters; {place}]"
    )));
}

fn text_of(block: &ContentBlock) -> Option<&str> {
    match block {
        ContentBlock::Text { text } => Some(text),
        ContentBlock::Image { .. }
        | ContentBlock::Document { .. }
        | ContentBlock::SearchResult { .. } => None,
    }
}

/// Writes a text into a file of the sandbox.
pub(crate) async fn keep_text(
    parts: &Parts,
    session: hostler_protocol::id::SessionId,
    id: &str,
    path: &str,
    text: &str,
    parting: &Parting,
) -> Result<(), String> {
    let input: Value = json!({"file_path": path, "content": text});
    let tool = Tool::parse("write", &input)?;
    let opened = session_sandbox::open(parts, session).await;
    let opened = opened.map_err(|error| error.to_string())?;
    let call = Call {
        id: id.to_owned(),
        tool,
    };
    let output = opened.sandbox.run_until(call, parting).await;
    match output.map_err(|error| error.to_string())?.is_error {
        false => Ok(()),
        true => Err("it does not take a file of that size".to_owned()),
    }
}
