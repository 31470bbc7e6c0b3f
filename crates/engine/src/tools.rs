//! Running the calls of a model's answer in the session's sandbox, side by side.
//!
//! A tool that fails is a result like any other: the model is told and goes on.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use hostler_domain::session::State;
use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::event::{AgentToolResult, Draft, Event};
use hostler_protocol::id::{EventId, SessionId};
use hostler_provider::INVALID_INPUT_FIELD;
use hostler_sandbox::{Call, Output, Tool};

use crate::options::Parts;
use crate::{sandbox_news, session_sandbox};

/// One fact for each call, in the order in which the calls end. Dropping the stream stops them.
pub(crate) fn run_tools(
    parts: Arc<Parts>,
    session: SessionId,
    state: &State,
    calls: &[EventId],
) -> BoxStream<'static, Vec<Draft>> {
    let side_by_side = parts.options.parallel_tools_max.max(1);
    let runs: Vec<_> = calls
        .iter()
        .filter_map(|id| state.unanswered_call(*id))
        .map(|call| {
            let (id, name) = (call.id, call.name.clone());
            let input: serde_json::Value =
                serde_json::from_str(call.input.get()).unwrap_or_default();
            let parts = Arc::clone(&parts);
            async move {
                let started = std::time::Instant::now();
                let result = run_tool(&parts, session, id, &name, &input).await;
                metrics::histogram!("hostler_tool_seconds", "tool" => tool_label(&name))
                    .record(started.elapsed().as_secs_f64());
                let (content, is_error) = result;
                vec![parts.draft(Event::AgentToolResult(AgentToolResult {
                    tool_use_id: id,
                    content,
                    is_error,
                }))]
            }
        })
        .collect();
    futures::stream::iter(runs)
        .buffer_unordered(side_by_side)
        .boxed()
}

/// Only names of our own become labels: a model can invent any number of others.
fn tool_label(name: &str) -> &'static str {
    hostler_protocol::agent::BuiltinTool::from_name(name).map_or("other", |tool| tool.name())
}

async fn run_tool(
    parts: &Parts,
    session: SessionId,
    id: EventId,
    name: &str,
    input: &serde_json::Value,
) -> (Vec<ContentBlock>, bool) {
    if input.get(INVALID_INPUT_FIELD).is_some() {
        return failure("The input of this call is not a JSON object, so the tool was not run.");
    }
    let tool = match Tool::parse(name, input) {
        Ok(tool) => tool,
        Err(sentence) => return failure(&sentence),
    };
    let opened = match session_sandbox::open(parts, session).await {
        Ok(opened) => opened,
        Err(error) => {
            tracing::error!(%session, %error, "no sandbox");
            return failure(&format!("The sandbox can't be started: {error}"));
        }
    };
    let call = Call {
        id: id.to_string(),
        tool,
    };
    match opened.sandbox.run(call).await {
        Ok(output) => {
            let is_error = output.is_error;
            let mut content = content(output);
            content.extend(sandbox_news::note(opened.provenance).map(ContentBlock::text));
            // Only now: a call that is interrupted before tells nobody.
            if let Some(news) = opened.news {
                news.told();
            }
            (content, is_error)
        }
        Err(error) => {
            tracing::warn!(%session, %error, "a tool call was lost with its sandbox");
            failure(&format!(
                "The sandbox was lost while this tool was running: {error}. The call may or may \
                 not have taken effect. A new sandbox will be started for the next call; files \
                 are kept."
            ))
        }
    }
}

fn content(output: Output) -> Vec<ContentBlock> {
    output
        .blocks
        .into_iter()
        .map(|block| match block {
            hostler_sandbox::Block::Text(text) => ContentBlock::Text { text },
            hostler_sandbox::Block::Image { media_type, data } => ContentBlock::Image {
                source: Source::Base64 { media_type, data },
            },
            hostler_sandbox::Block::Document { media_type, data } => ContentBlock::Document {
                source: Source::Base64 { media_type, data },
                title: None,
                context: None,
            },
        })
        .collect()
}

fn failure(sentence: &str) -> (Vec<ContentBlock>, bool) {
    (vec![ContentBlock::text(sentence)], true)
}
