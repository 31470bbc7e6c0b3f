//! One request to a model: previews while it answers, facts when it has.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::BoxStream;
use hostler_domain::catalog::ModelSpec;
use hostler_domain::session::{ModelCall, Purpose, State};
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    AgentMessage, ContextCompacted, Draft, Empty, Event, ModelFailed, ModelRequestEnd,
    ModelResponse, ModelStop, ModelUsage, Seq, SessionErrorEvent, SessionErrorKind, TokenUsage,
};
use hostler_protocol::id::{EventId, SessionId};
use hostler_provider::{
    BlockKind, Chunk, Finished, ModelError, ModelErrorKind, ModelRequest, Provider, StopReason,
    Usage,
};
use serde_json::value::RawValue;

use crate::announcing::announce;
use crate::attachments;
use crate::backoff::pause;
use crate::limits::{ERROR_CHARS_MAX, TOOL_CALLS_MAX};
use crate::mcp::{Offer, Servers};
use crate::options::Parts;
use crate::preview::Previews;
use crate::prompt;
use crate::sandbox_prompt::Telling;

/// What a call needs of the state, so that it can outlive the borrow.
struct Asked {
    parts: Arc<Parts>,
    session: SessionId,
    call: ModelCall,
    telling: Telling,
    servers: Servers,
    based_on: Seq,
    failures: u32,
    agent: Arc<SessionAgent>,
    price: Option<hostler_domain::catalog::Price>,
}

/// What the model said.
struct Answer {
    blocks: Vec<hostler_provider::Block>,
    finished: Finished,
}

/// A stream of exactly one item: the facts of the whole answer, in the order of the contract.
pub(crate) fn call_model(
    parts: Arc<Parts>,
    session: SessionId,
    state: &State,
    call: ModelCall,
    telling: Telling,
    servers: Servers,
) -> BoxStream<'static, Vec<Draft>> {
    let agent = Arc::clone(state.agent());
    let model = parts.catalog.find(&agent.model.id).cloned();
    let asked = Asked {
        based_on: state.last_input(),
        failures: state.attempts() + 1,
        price: model.as_ref().and_then(|model| model.price),
        session,
        call,
        telling,
        servers,
        agent,
        parts,
    };
    // The state is copied once a call; its messages are shared, not copied.
    let state = state.clone();
    futures::stream::once(async move {
        let started = std::time::Instant::now();
        let outcome = ask(&asked, &state, model).await;
        metrics::histogram!("hostler_model_request_seconds")
            .record(started.elapsed().as_secs_f64());
        outcome
    })
    .boxed()
}

async fn ask(asked: &Asked, state: &State, model: Option<ModelSpec>) -> Vec<Draft> {
    let (store, purpose) = (asked.parts.store.clone(), asked.call.purpose);
    let mut previews = Previews::new(store, asked.session, purpose, state.last_seq());
    let message_id = asked.parts.env.id();
    let turn = state.turn_started();
    let offering = asked
        .servers
        .offer(&asked.parts, asked.session, &asked.agent, turn);
    let mut offer = offering.await;
    let troubles = std::mem::take(&mut offer.errors);
    let prepared = prepare(asked, state, model, &offer).await;
    let answer = match prepared {
        Ok((provider, request)) => {
            listen(
                asked,
                &provider,
                Arc::new(request),
                message_id,
                &mut previews,
            )
            .await
        }
        Err(error) => Err(error),
    };
    let facts = match answer {
        Ok(answer) if answer.finished.stop == StopReason::ContextWindowExceeded => {
            let error = ModelError {
                usage: Some(answer.finished.usage),
                ..ModelError::new(
                    ModelErrorKind::ContextTooLong,
                    "the conversation has reached the model's context limit",
                )
            };
            failed(asked, &error)
        }
        Ok(answer) if asked.call.purpose == Purpose::Compact => compacted(asked, answer),
        Ok(answer) => answered(asked, state, &offer, answer, message_id, &mut previews).await,
        Err(error) => failed(asked, &error),
    };
    // Servers that are out of reach are told first: the answer was given without them.
    let troubles = troubles.into_iter().map(|error| {
        let event = Event::SessionError(SessionErrorEvent { error });
        asked.parts.draft(event)
    });
    troubles.chain(facts).collect()
}

async fn prepare(
    asked: &Asked,
    state: &State,
    model: Option<ModelSpec>,
    offer: &Offer,
) -> Result<(Provider, ModelRequest), ModelError> {
    let not_configured = |message: String| ModelError::new(ModelErrorKind::NotConfigured, message);
    let model_id = &asked.agent.model.id;
    let Some(model) = model else {
        let message = format!(
            "no provider is configured for the model '{model_id}'; add it to [[models]] in the \
             configuration"
        );
        return Err(not_configured(message));
    };
    let Some(provider) = asked.parts.providers.get(&model.provider) else {
        let message = format!(
            "the model '{model_id}' is served by the provider '{}', which has no key or is not \
             configured; `hostler doctor` says what is missing",
            model.provider
        );
        return Err(not_configured(message));
    };
    let files = attachments::load(&asked.parts, asked.session, state.conversation()).await;
    let sandbox = asked
        .telling
        .get(&asked.parts, asked.session, &asked.agent)
        .await;
    let sandbox = sandbox.map_err(|error| {
        let message = format!("the request can't be put together: {error}");
        ModelError::new(ModelErrorKind::Server, message)
    })?;
    let file = |id: &str| files.get(id).cloned();
    let request = prompt::request(state, &model, asked.call.purpose, sandbox, offer, &file);
    Ok((provider.clone(), request))
}

async fn listen(
    asked: &Asked,
    provider: &Provider,
    request: Arc<ModelRequest>,
    message_id: EventId,
    previews: &mut Previews,
) -> Result<Answer, ModelError> {
    let mut chunks = provider.stream(request);
    let mut blocks = Vec::new();
    while let Some(chunk) = chunks.next().await {
        match chunk? {
            Chunk::Started => {}
            Chunk::TextStart { .. } => previews.message_starts(message_id),
            Chunk::TextDelta { index, text } => previews.text(index, &text),
            Chunk::ThinkingStart { index } => {
                previews.thinking_starts(index, || asked.parts.env.id());
            }
            Chunk::Block(block) => blocks.push(block),
            Chunk::Finished(finished) => return Ok(Answer { blocks, finished }),
        }
    }
    Err(ModelError::new(
        ModelErrorKind::Malformed,
        "the model's answer broke off",
    ))
}

/// `agent.thinking* agent.message? agent.tool_use*`, the internal response, the end of the span.
async fn answered(
    asked: &Asked,
    state: &State,
    offer: &Offer,
    answer: Answer,
    message_id: EventId,
    previews: &mut Previews,
) -> Vec<Draft> {
    let parts = &asked.parts;
    let mut thinking = Vec::new();
    let mut texts = Vec::new();
    let mut uses = Vec::new();
    let mut blocks = Vec::with_capacity(answer.blocks.len());
    for block in answer.blocks {
        match block.kind {
            BlockKind::Thinking | BlockKind::RedactedThinking => {
                let id = previews
                    .thinking_id(block.index)
                    .unwrap_or_else(|| parts.env.id());
                let event = Event::AgentThinking(Empty {});
                thinking.push(Draft {
                    id,
                    at: parts.env.now(),
                    thread: None,
                    event,
                });
            }
            BlockKind::Text { text } if text.is_empty() => continue,
            BlockKind::Text { text } => texts.push(ContentBlock::Text { text }),
            BlockKind::ToolUse(tool_use) if uses.len() < TOOL_CALLS_MAX => uses.push(tool_use),
            // A call over the limit is not run, so it may not stand in the conversation either.
            BlockKind::ToolUse(_) => continue,
            BlockKind::Other { .. } => {}
        }
        blocks.push(RawValue::to_owned(&block.json));
    }
    let usage = tokens(&answer.finished.usage);
    let mut drafts = thinking;
    if !texts.is_empty() {
        let event = Event::AgentMessage(AgentMessage { content: texts });
        drafts.push(Draft {
            id: message_id,
            at: parts.env.now(),
            thread: None,
            event,
        });
    }
    let announced = announce(
        parts,
        asked.session,
        &asked.agent,
        state.intent(),
        offer,
        uses,
    )
    .await;
    drafts.extend(announced.calls);
    drafts.push(parts.draft(Event::ModelResponse(ModelResponse {
        model_request_start_id: asked.call.start_id,
        based_on: asked.based_on,
        blocks,
        tool_uses: announced.tool_uses,
        stop: stop(answer.finished.stop),
        usage,
        cost_nano_dollars: asked.cost(&usage),
    })));
    drafts.push(end_of_request(asked, &usage, false));
    drafts.extend(announced.notes);
    drafts
}

fn compacted(asked: &Asked, answer: Answer) -> Vec<Draft> {
    let texts = answer.blocks.iter().filter_map(|block| match &block.kind {
        BlockKind::Text { text } => Some(text.as_str()),
        BlockKind::Thinking
        | BlockKind::RedactedThinking
        | BlockKind::ToolUse(_)
        | BlockKind::Other { .. } => None,
    });
    let summary = texts.collect::<Vec<_>>().join("\n\n");
    if summary.trim().is_empty() {
        let message = "the model gave no summary of the conversation";
        let error = ModelError {
            usage: Some(answer.finished.usage),
            ..ModelError::new(ModelErrorKind::Malformed, message)
        };
        return failed(asked, &error);
    }
    let usage = tokens(&answer.finished.usage);
    vec![
        asked.parts.draft(Event::ContextCompacted(ContextCompacted {
            model_request_start_id: asked.call.start_id,
            summary,
            usage,
            cost_nano_dollars: asked.cost(&usage),
        })),
        asked
            .parts
            .draft(Event::AgentThreadContextCompacted(Empty {})),
        end_of_request(asked, &usage, false),
    ]
}

fn failed(asked: &Asked, error: &ModelError) -> Vec<Draft> {
    let parts = &asked.parts;
    // The provider's words may quote the prompt: they are in the session's error event, not here.
    tracing::warn!(session = %asked.session, kind = ?error.kind, attempt = asked.failures,
        "a model request failed");
    metrics::counter!("hostler_model_request_failures_total").increment(1);
    let options = &parts.options;
    let retry_at = error.kind.is_transient().then(|| {
        let pause = pause(
            options.model_retry_base,
            options.model_retry_max,
            asked.failures,
            parts.env.jitter(),
            error.retry_after,
        );
        parts.env.now().plus(pause)
    });
    let usage = error.usage.map(|usage| tokens(&usage)).unwrap_or_default();
    vec![
        end_of_request(asked, &usage, true),
        parts.draft(Event::ModelFailed(ModelFailed {
            model_request_start_id: asked.call.start_id,
            error: session_error(error.kind),
            message: error.message.chars().take(ERROR_CHARS_MAX).collect(),
            retry_at,
            context_too_long: error.kind == ModelErrorKind::ContextTooLong,
            rejected: error.kind == ModelErrorKind::InvalidRequest,
            usage,
            cost_nano_dollars: asked.cost(&usage),
        })),
    ]
}

fn session_error(kind: ModelErrorKind) -> SessionErrorKind {
    match kind {
        ModelErrorKind::Overloaded => SessionErrorKind::ModelOverloadedError,
        ModelErrorKind::RateLimited => SessionErrorKind::ModelRateLimitedError,
        ModelErrorKind::Billing => SessionErrorKind::BillingError,
        ModelErrorKind::Authentication
        | ModelErrorKind::InvalidRequest
        | ModelErrorKind::ContextTooLong
        | ModelErrorKind::NotFound
        | ModelErrorKind::Timeout
        | ModelErrorKind::Stalled
        | ModelErrorKind::Connection
        | ModelErrorKind::Server
        | ModelErrorKind::Malformed
        | ModelErrorKind::NotConfigured => SessionErrorKind::ModelRequestFailedError,
    }
}

fn stop(reason: StopReason) -> ModelStop {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::Other(_) => ModelStop::EndTurn,
        StopReason::ToolUse => ModelStop::ToolUse,
        StopReason::MaxTokens | StopReason::ContextWindowExceeded => ModelStop::MaxTokens,
        StopReason::Refusal {
            category,
            explanation,
        } => ModelStop::Refusal {
            category,
            explanation,
        },
        StopReason::PauseTurn => ModelStop::PauseTurn,
    }
}

pub(crate) fn tokens(usage: &Usage) -> TokenUsage {
    TokenUsage {
        input_tokens: usage.input_tokens,
        output_tokens: usage.output_tokens,
        cache_read_input_tokens: usage.cache_read,
        cache_creation_5m_input_tokens: usage.cache_creation_5m,
        cache_creation_1h_input_tokens: usage.cache_creation_1h,
    }
}

fn end_of_request(asked: &Asked, usage: &TokenUsage, is_error: bool) -> Draft {
    asked.parts.draft(Event::ModelRequestEnd(ModelRequestEnd {
        model_request_start_id: asked.call.start_id,
        is_error: Some(is_error),
        model_usage: ModelUsage::from(usage),
    }))
}

impl Asked {
    fn cost(&self, usage: &TokenUsage) -> u64 {
        self.price.map_or(0, |price| price.cost(usage))
    }
}
