//! Running a call of an MCP server's tool.

use hostler_mcp::{Block, Outcome};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_sandbox::{Call, Parting, Tool};
use serde_json::{Value, json};

use crate::limits::{MCP_RESULT_CHARS_MAX, MCP_RESULT_SHOWN_CHARS};
use crate::options::Parts;
use crate::session_sandbox;

/// What a model is shown of a result.
pub(crate) fn content(outcome: Outcome) -> (Vec<ContentBlock>, bool) {
    let blocks = outcome.blocks.into_iter().map(|block| match block {
        Block::Text(text) => ContentBlock::Text { text },
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

/// Puts texts that are too long into a file of the sandbox, and leaves their beginning.
pub(crate) async fn spill(
    parts: &Parts,
    session: hostler_protocol::id::SessionId,
    call: &str,
    blocks: &mut [ContentBlock],
    parting: &Parting,
) {
    for (position, block) in blocks.iter_mut().enumerate() {
        let ContentBlock::Text { text } = block else {
            continue;
        };
        let chars = text.chars().count();
        if chars <= MCP_RESULT_CHARS_MAX {
            continue;
        }
        let path = format!("/tmp/tool_outputs/{call}-{position}.txt");
        let written = write(
            parts,
            session,
            &format!("{call}-{position}"),
            &path,
            text,
            parting,
        )
        .await;
        let place = match written {
            Ok(()) => format!("the whole is in {path}"),
            Err(why) => format!("the rest is lost, since it can't be kept in the sandbox: {why}"),
        };
        let end = text.char_indices().nth(MCP_RESULT_SHOWN_CHARS);
        text.truncate(end.map_or(text.len(), |(end, _)| end));
        text.push_str(&format!(
            "\n[the first {MCP_RESULT_SHOWN_CHARS} of {chars} characters; {place}]"
        ));
    }
}

async fn write(
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
