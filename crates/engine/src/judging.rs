//! Asking a judge whether a call may run without a person's consent: the policy `auto`.
//!
//! It fails closed. No judge, no answer, a late answer, or one that is not exactly an answer: then
//! a person is asked. What the judge is shown is decided in `hostler_domain::judge`.

use std::sync::Arc;

use futures::StreamExt;
use hostler_domain::judge::{self, Case, INDETERMINATE, NOT_HELD};
use hostler_domain::session::Intent;
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::event::{Judgement, TokenUsage};
use hostler_protocol::id::SessionId;
use hostler_provider::{
    BlockKind, Chunk, Effort, Message, ModelError, ModelErrorKind, ModelRequest, Provider, Role,
    Speed, Thinking, ToolUse,
};
use tokio::time::timeout;

use crate::limits::{JUDGE_ATTEMPTS_MAX, JUDGE_TOKENS};
use crate::model_call::tokens;
use crate::options::Parts;
use crate::prompt::text_block;

/// What the judge is told of the session.
pub(crate) struct Surroundings<'a> {
    pub(crate) parts: &'a Parts,
    pub(crate) session: SessionId,
    pub(crate) agent: &'a SessionAgent,
    pub(crate) intent: &'a Intent,
}

/// A judgement, and what it has cost.
pub(crate) struct Judged {
    pub(crate) judgement: Judgement,
    /// None: nobody was asked.
    pub(crate) spent: Option<Spent>,
}

#[derive(Debug)]
pub(crate) struct Spent {
    pub(crate) model: String,
    pub(crate) usage: TokenUsage,
    pub(crate) cost_nano_dollars: u64,
}

/// The judge's model, ready to be asked.
struct Bench {
    provider: Provider,
    request: Arc<ModelRequest>,
}

pub(crate) async fn judge(around: &Surroundings<'_>, call: &ToolUse) -> Judged {
    let judged = judged(around, call).await;
    let verdict = match judged.judgement {
        Judgement::Allow => "allow",
        Judgement::Ask { .. } => "ask",
        Judgement::Deny { .. } => "deny",
    };
    metrics::counter!("hostler_permission_judgements_total", "verdict" => verdict).increment(1);
    judged
}

async fn judged(around: &Surroundings<'_>, call: &ToolUse) -> Judged {
    let session = around.session;
    let nobody = Judged {
        judgement: INDETERMINATE,
        spent: None,
    };
    let Some(options) = &around.parts.options.judge else {
        tracing::warn!(%session, "no judge is configured: a call under the policy auto is asked about");
        return nobody;
    };
    let Some(bench) = bench(around, &options.model, call) else {
        return nobody;
    };
    let mut usage = TokenUsage::default();
    let asking = ask(&bench, &mut usage);
    let judgement = match timeout(options.timeout, asking).await {
        Ok(Ok(answer)) => judge::judgement(&answer),
        // Nobody would be there for the next call, either: it is not held.
        Ok(Err(error)) if error.kind == ModelErrorKind::Billing => NOT_HELD,
        Ok(Err(error)) => {
            // The provider's words may quote the call.
            tracing::warn!(%session, kind = ?error.kind, "a judge gave no answer");
            INDETERMINATE
        }
        Err(_) => {
            tracing::warn!(%session, "a judge gave no answer in time");
            INDETERMINATE
        }
    };
    let price = around.parts.catalog.find(&options.model);
    let price = price.and_then(|model| model.price);
    Judged {
        judgement,
        spent: Some(Spent {
            model: options.model.clone(),
            usage,
            cost_nano_dollars: price.map_or(0, |price| price.cost(&usage)),
        }),
    }
}

fn bench(around: &Surroundings<'_>, model_id: &str, call: &ToolUse) -> Option<Bench> {
    let model = around.parts.catalog.find(model_id)?;
    let provider = around.parts.providers.get(&model.provider)?.clone();
    let question = judge::question(&Case {
        instructions: around.agent.system.as_deref(),
        intent: around.intent,
        tool: &call.name,
        input: call.input.get(),
    })?;
    let request = ModelRequest {
        model: model.upstream(model_id),
        system: vec![judge::INSTRUCTIONS.to_owned()],
        tools: Vec::new(),
        earlier: Vec::new(),
        messages: vec![Message {
            role: Role::User,
            content: vec![text_block(&question)],
        }],
        max_tokens: model
            .max_output_tokens
            .map_or(JUDGE_TOKENS, |most| most.min(JUDGE_TOKENS)),
        effort: model
            .efforts
            .contains(&hostler_protocol::agent::EffortLevel::Low)
            .then_some(Effort::Low),
        speed: Speed::Standard,
        thinking: Thinking::ModelDefault,
    };
    Some(Bench {
        provider,
        request: Arc::new(request),
    })
}

/// The judge's words. What each attempt has cost is added to `usage`, whoever gives up first.
async fn ask(bench: &Bench, usage: &mut TokenUsage) -> Result<String, ModelError> {
    let mut attempts = 1;
    loop {
        match listen(bench, usage).await {
            Err(error) if error.kind.is_transient() && attempts < JUDGE_ATTEMPTS_MAX => {
                attempts += 1;
            }
            ended => return ended,
        }
    }
}

async fn listen(bench: &Bench, usage: &mut TokenUsage) -> Result<String, ModelError> {
    let mut chunks = bench.provider.stream(Arc::clone(&bench.request));
    let mut answer = String::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.inspect_err(|error| {
            usage.add(&error.usage.map(|used| tokens(&used)).unwrap_or_default());
        })?;
        match chunk {
            Chunk::Block(block) => match block.kind {
                BlockKind::Text { text } => answer.push_str(&text),
                BlockKind::Thinking
                | BlockKind::RedactedThinking
                | BlockKind::ToolUse(_)
                | BlockKind::Other { .. } => {}
            },
            Chunk::Finished(finished) => {
                usage.add(&tokens(&finished.usage));
                return Ok(answer);
            }
            Chunk::Started
            | Chunk::TextStart { .. }
            | Chunk::TextDelta { .. }
            | Chunk::ThinkingStart { .. } => {}
        }
    }
    let message = "the judge's answer broke off";
    Err(ModelError::new(ModelErrorKind::Malformed, message))
}
