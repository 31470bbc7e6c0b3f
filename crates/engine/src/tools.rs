//! Running the calls of a model's answer side by side: in the session's sandbox, or on the server.
//!
//! A tool that fails is a result like any other: the model is told and goes on.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use hostler_domain::session::{State, ToolCall, ToolRun, ToolStart, outcome_unknown};
use hostler_domain::web::AddressRow;
use hostler_protocol::agent::{BuiltinTool, SessionAgent};
use hostler_protocol::content::{ContentBlock, Source};
use hostler_protocol::event::{
    Draft, Event, RetryStatus, SessionError, SessionErrorEvent, SessionErrorKind, WebSearched,
};
use hostler_protocol::id::SessionId;
use hostler_provider::INVALID_INPUT_FIELD;
use hostler_sandbox::{Call, News, Output, Parting, Tool};

use tokio::sync::Semaphore;

use crate::mcp::{self, McpCall, Servers};
use crate::options::Parts;
use crate::outputs;
use crate::resume::resume;
use crate::web::{WebCall, WebTool};
use crate::{repositories, sandbox_news, session_sandbox};

/// One fact for each call, in the order in which the calls end. Each waits for one of the `places`.
/// Dropping the stream leaves them, and `parting` says what that means.
pub(crate) fn run_tools(
    parts: Arc<Parts>,
    session: SessionId,
    state: &State,
    runs: &[ToolRun],
    servers: &Servers,
    parting: &Parting,
    places: &Arc<Semaphore>,
) -> BoxStream<'static, Vec<Draft>> {
    let count = runs.len().max(1);
    let runs: Vec<_> = runs
        .iter()
        .filter_map(|run| Some((run, state.unanswered_call(run.id)?)))
        .map(|(run, call)| {
            let asked = Asked {
                parts: Arc::clone(&parts),
                session,
                call: call.clone(),
                agent: Arc::clone(state.agent()),
                server_has_answered: state.has_answer_of(call),
                servers: servers.clone(),
                input: serde_json::from_str(call.input.get()).unwrap_or_default(),
                parting: parting.clone(),
                web: WebTool::of(call),
                addresses: match WebTool::of(call) {
                    Some(WebTool::Fetch) => state.address_rows().cloned().collect(),
                    Some(WebTool::Search) | None => Vec::new(),
                },
            };
            let (how, places) = (run.how, Arc::clone(places));
            async move {
                // Nobody closes the places.
                let _place = places.acquire_owned().await;
                let started = std::time::Instant::now();
                let events = match how {
                    ToolStart::Fresh if asked.call.mcp_server.is_some() => {
                        vec![asked.run_on_server().await]
                    }
                    ToolStart::Fresh if asked.web.is_some() => asked.run_on_web().await,
                    // Nobody but the server knows what became of it, and it has told somebody else.
                    ToolStart::Resumed
                        if asked.call.mcp_server.is_some() || asked.web.is_some() =>
                    {
                        vec![outcome_unknown(&asked.call)]
                    }
                    ToolStart::Fresh => match asked.run().await {
                        Ok(ran) => {
                            let errors = ran.errors.into_iter();
                            let errors = errors.map(|error| SessionErrorEvent { error });
                            let told = asked.result(ran.told);
                            errors.map(Event::SessionError).chain([told]).collect()
                        }
                        Err(NoSandbox(reason)) => {
                            let told = asked.result(failure(&reason));
                            vec![no_sandbox_error(reason), told]
                        }
                    },
                    ToolStart::Resumed => vec![asked.resume().await],
                };
                metrics::histogram!("hostler_tool_seconds", "tool" => tool_label(&asked.call))
                    .record(started.elapsed().as_secs_f64());
                let events = events.into_iter();
                events.map(|event| asked.parts.draft(event)).collect()
            }
        })
        .collect();
    futures::stream::iter(runs).buffer_unordered(count).boxed()
}

/// One call, and what it takes to carry it out.
struct Asked {
    parts: Arc<Parts>,
    session: SessionId,
    call: ToolCall,
    agent: Arc<SessionAgent>,
    /// Of a server: whether it has answered earlier calls.
    server_has_answered: bool,
    servers: Servers,
    input: serde_json::Value,
    parting: Parting,
    /// Which of the web tools it is of, if it is.
    web: Option<WebTool>,
    /// Where an address may have been named, the newest row first. For `web_fetch` alone.
    addresses: Vec<AddressRow>,
}

/// What a call gave: what the model is told, and what went wrong besides.
struct Ran {
    told: (Vec<ContentBlock>, bool),
    errors: Vec<SessionError>,
}

impl From<(Vec<ContentBlock>, bool)> for Ran {
    fn from(told: (Vec<ContentBlock>, bool)) -> Self {
        let errors = Vec::new();
        Self { told, errors }
    }
}

/// Why there was nothing to run a call in.
struct NoSandbox(String);

/// Told besides the call's result, which only the model reads: it is for the person who made the
/// environment. The next call tries again.
fn no_sandbox_error(message: String) -> Event {
    let error = SessionError::new(
        SessionErrorKind::UnknownError,
        message,
        RetryStatus::Retrying,
    );
    Event::SessionError(SessionErrorEvent { error })
}

/// Only names of our own become labels: a model can invent any number of others.
fn tool_label(call: &ToolCall) -> &'static str {
    if call.mcp_server.is_some() {
        return "mcp";
    }
    BuiltinTool::from_name(&call.name).map_or("other", |tool| tool.name())
}

impl Asked {
    async fn run(&self) -> Result<Ran, NoSandbox> {
        if self.input.get(INVALID_INPUT_FIELD).is_some() {
            let sentence = "The input of this call is not a JSON object, so the tool was not run.";
            return Ok(failure(sentence).into());
        }
        let tool = match Tool::parse(&self.call.name, &self.input) {
            Ok(tool) => tool,
            Err(sentence) => return Ok(failure(&sentence).into()),
        };
        let session = self.session;
        let opened = match session_sandbox::open(&self.parts, session).await {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(%session, %error, "no sandbox");
                return Err(NoSandbox(format!("The sandbox can't be started: {error}")));
            }
        };
        let call = Call {
            id: self.call.id.to_string(),
            tool,
        };
        Ok(match opened.sandbox.run_until(call, &self.parting).await {
            Ok(output) => {
                let is_error = output.is_error;
                let mut content = content(output);
                let note = opened.news.as_ref().map(News::provenance);
                let note = note.and_then(sandbox_news::note);
                content.extend(note.map(ContentBlock::text));
                let kept = outputs::capture(&self.parts, session).await;
                content.extend(kept.map(ContentBlock::text));
                // Only now: a call that is interrupted before tells nobody.
                if let Some(news) = opened.news {
                    news.told();
                }
                let mut errors = repositories::take_untold(&self.parts, session).await;
                errors.extend(self.parts.out_of_reach.take(session));
                let notes = errors
                    .iter()
                    .map(|error| format!("note: {}", error.message));
                content.extend(notes.map(ContentBlock::text));
                let told = (content, is_error);
                Ran { told, errors }
            }
            Err(error) => {
                tracing::warn!(%session, %error, "a tool call was lost with its sandbox");
                failure(&format!(
                    "The sandbox was lost while this tool was running: {error}. The call may or \
                     may not have taken effect. A new sandbox will be started for the next call; \
                     files are kept."
                ))
                .into()
            }
        })
    }

    async fn resume(&self) -> Event {
        // Its input was taken once, so it can be read again.
        let Ok(tool) = Tool::parse(&self.call.name, &self.input) else {
            return outcome_unknown(&self.call);
        };
        let id = self.call.id.to_string();
        let call = Call { id, tool };
        match resume(&self.parts, self.session, call, &self.parting).await {
            Some(output) => {
                let is_error = output.is_error;
                let mut content = content(output);
                let kept = outputs::capture(&self.parts, self.session).await;
                content.extend(kept.map(ContentBlock::text));
                self.result((content, is_error))
            }
            None => outcome_unknown(&self.call),
        }
    }

    /// A call of a tool of an MCP server, which needs no sandbox unless its result is long.
    async fn run_on_server(&self) -> Event {
        let server = self.call.mcp_server.as_deref().unwrap_or_default();
        let serde_json::Value::Object(input) = &self.input else {
            return self.result(failure("The input of this call is not a JSON object."));
        };
        if input.contains_key(INVALID_INPUT_FIELD) {
            let sentence = "The input of this call is not a JSON object, so the tool was not run.";
            return self.result(failure(sentence));
        }
        let call = McpCall {
            server,
            tool: &self.call.name,
            input: input.clone(),
            has_answered: self.server_has_answered,
        };
        let (parts, session) = (&self.parts, self.session);
        // It may connect first, which is large.
        let calling = self.servers.call(parts, session, &self.agent, call);
        match Box::pin(calling).await {
            Ok(outcome) => {
                let (mut blocks, is_error) = mcp::content(outcome);
                let id = self.call.id.to_string();
                mcp::spill(parts, session, &id, &mut blocks, &self.parting).await;
                self.result((blocks, is_error))
            }
            Err(sentence) => self.result(failure(&sentence)),
        }
    }

    /// A call of a web tool, which needs no sandbox unless a page is long.
    async fn run_on_web(&self) -> Vec<Event> {
        if self.input.get(INVALID_INPUT_FIELD).is_some() {
            let sentence = "The input of this call is not a JSON object, so the tool was not run.";
            return vec![self.result(failure(sentence))];
        }
        let call = WebCall {
            parts: &self.parts,
            session: self.session,
            agent: &self.agent,
            id: self.call.id.to_string(),
            input: &self.input,
            parting: &self.parting,
        };
        let Some(tool) = self.web else {
            return vec![outcome_unknown(&self.call)];
        };
        let done = Box::pin(call.run(tool, &self.addresses)).await;
        let counted = (done.searches > 0).then_some(Event::WebSearched(WebSearched {
            tool_use_id: self.call.id,
            requests: done.searches,
        }));
        let told = self.result((done.content, done.is_error));
        counted.into_iter().chain([told]).collect()
    }

    fn result(&self, (content, is_error): (Vec<ContentBlock>, bool)) -> Event {
        self.call.answered(content, is_error)
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
