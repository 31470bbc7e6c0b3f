//! The calls of a model's answer as events: which policy holds for each, and what a judge says
//! where one is asked. All of them are in the log with the answer itself, in one append.

use futures::StreamExt;
use hostler_domain::session::Intent;
use hostler_domain::tools::{self, Verdict};
use hostler_protocol::agent::{CustomTool, SessionAgent};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    AgentCustomToolUse, AgentMcpToolUse, AgentToolUse, CustomToolResult, Draft,
    EvaluatedPermission, Evaluation, Event, PermissionJudged, ProviderToolUse, ResultDeadline,
};
use hostler_protocol::id::{EventId, SessionId};
use hostler_provider::ToolUse;
use serde_json::value::RawValue;

use crate::judging::{Judged, Surroundings, judge};
use crate::mcp::Offer;
use crate::options::Parts;

/// The calls of one answer.
#[derive(Default)]
pub(crate) struct Announced {
    /// The calls themselves, in the model's order.
    pub(crate) calls: Vec<Draft>,
    /// For the answer's own event.
    pub(crate) tool_uses: Vec<ProviderToolUse>,
    /// What is to be known besides; it stands behind the answer's event.
    pub(crate) notes: Vec<Draft>,
}

pub(crate) async fn announce(
    parts: &Parts,
    session: SessionId,
    agent: &SessionAgent,
    intent: &Intent,
    offer: &Offer,
    uses: Vec<ToolUse>,
) -> Announced {
    let around = Surroundings {
        parts,
        session,
        agent,
        intent,
    };
    let mut announced = Announced::default();
    let side_by_side = parts.options.parallel_tools_max.max(1);
    let evaluated = futures::stream::iter(uses)
        .map(|call| evaluate(&around, offer, call))
        .buffered(side_by_side);
    let evaluated: Vec<(ToolUse, Outcome<'_>)> = evaluated.collect().await;
    for (call, outcome) in evaluated {
        let draft = parts.draft(event(offer, &call, &outcome));
        let id = draft.id;
        announced.calls.push(draft);
        announced.tool_uses.push(ProviderToolUse {
            event_id: id,
            provider_id: call.id.clone(),
        });
        let notes = notes(parts, id, &call, &outcome);
        let notes = notes.into_iter().map(|event| parts.draft(event));
        announced.notes.extend(notes);
    }
    announced
}

/// What is made of a call.
enum Outcome<'a> {
    Custom(&'a CustomTool),
    Evaluated(Evaluation),
    Judged(Judged),
    NoSuchTool,
}

async fn evaluate<'a>(
    around: &Surroundings<'a>,
    offer: &Offer,
    call: ToolUse,
) -> (ToolUse, Outcome<'a>) {
    let verdict = match offer.find(&call.name) {
        Some(offered) => tools::evaluate_mcp(around.agent, &offered.server, &offered.tool.name),
        None => tools::evaluate(around.agent, &call.name),
    };
    let outcome = match verdict {
        Verdict::Custom(tool) => Outcome::Custom(tool),
        Verdict::Evaluated(evaluation) => Outcome::Evaluated(evaluation),
        Verdict::Judge => Outcome::Judged(judge(around, &call).await),
        Verdict::NoSuchTool => Outcome::NoSuchTool,
    };
    (call, outcome)
}

fn event(offer: &Offer, call: &ToolUse, outcome: &Outcome<'_>) -> Event {
    let (name, input) = (call.name.clone(), RawValue::to_owned(&call.input));
    let evaluation = match outcome {
        Outcome::Custom(_) => return Event::AgentCustomToolUse(AgentCustomToolUse { name, input }),
        Outcome::Evaluated(evaluation) => Some(*evaluation),
        Outcome::Judged(judged) => Some(tools::judged(judged.judgement)),
        Outcome::NoSuchTool => None,
    };
    let evaluated_permission = evaluation.map_or(EvaluatedPermission::Deny, Evaluation::permission);
    match offer.find(&call.name) {
        Some(offered) => Event::AgentMcpToolUse(AgentMcpToolUse {
            mcp_server_name: offered.server.clone(),
            name: offered.tool.name.clone(),
            input,
            evaluated_permission,
            evaluation,
        }),
        None => Event::AgentToolUse(AgentToolUse {
            name,
            input,
            evaluated_permission,
            evaluation,
        }),
    }
}

fn notes(parts: &Parts, id: EventId, call: &ToolUse, outcome: &Outcome<'_>) -> Vec<Event> {
    match outcome {
        Outcome::Custom(tool) => {
            if let Some(sentence) = &call.invalid_input {
                // The client has declared what the input looks like, and shall not get another.
                return vec![Event::UserCustomToolResult(CustomToolResult {
                    custom_tool_use_id: id,
                    content: vec![ContentBlock::text(sentence)],
                    is_error: true,
                })];
            }
            let deadline = tool.deadline().map(|time| ResultDeadline {
                custom_tool_use_id: id,
                at: parts.env.now().plus(time),
            });
            deadline.map(Event::ResultDeadline).into_iter().collect()
        }
        Outcome::Judged(judged) => {
            let spent = judged.spent.as_ref().map(|spent| PermissionJudged {
                tool_use_id: id,
                model: spent.model.clone(),
                usage: spent.usage,
                cost_nano_dollars: spent.cost_nano_dollars,
            });
            spent.map(Event::PermissionJudged).into_iter().collect()
        }
        Outcome::Evaluated(_) | Outcome::NoSuchTool => Vec::new(),
    }
}
