//! Events, steps and conversations as lines of text.

use hostler_domain::session::{Block, Purpose, Role, Step, ToolRun, ToolStart};
use hostler_protocol::event::{Audience, Event, Seq};
use serde_json::Value;

use crate::log::Log;

impl Log {
    /// The step that follows, in the words of the events that it would record.
    pub(crate) fn next(&self) -> String {
        match self.step() {
            Step::Wait { until: None } => "wait".to_owned(),
            Step::Wait { until: Some(until) } => {
                format!("wait {}s", until.since(self.env.now()).as_secs())
            }
            Step::Record(events) => {
                let lines: Vec<String> = events.iter().map(|event| self.show(event)).collect();
                lines.join("\n")
            }
            Step::CallModel(call) if call.purpose == Purpose::Answer => "call the model".to_owned(),
            Step::CallModel(_) => "call the model for a summary".to_owned(),
            Step::RunTools(calls) => {
                let words: Vec<String> = calls.iter().map(|run| self.tool_run(run)).collect();
                words.join(", ")
            }
        }
    }

    fn tool_run(&self, run: &ToolRun) -> String {
        let label = self.label(run.id);
        match run.how {
            ToolStart::Fresh => format!("run {label}"),
            ToolStart::Resumed => format!("resume {label}"),
        }
    }

    /// What clients see, in the order in which they see it.
    pub(crate) fn public(&self) -> String {
        let seen = self.rows.iter().filter(|row| {
            row.event.audience() == Audience::Public
                || row.event.name() == "hostler.input_processed"
        });
        let lines: Vec<String> = seen.map(|row| self.show(&row.event)).collect();
        lines.join("\n")
    }

    fn show(&self, event: &Event) -> String {
        let json: Value = serde_json::from_str(&event.to_json()).unwrap();
        let word = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        let label = || self.label(word("/tool_use_id").parse().unwrap());
        let name = event.name();
        match name {
            "hostler.input_processed" => {
                let received = Seq(json["received_seq"].as_i64().unwrap());
                let row = self.rows.iter().find(|row| row.seq == received).unwrap();
                self.show(&row.event)
            }
            "user.message" | "agent.message" | "system.message" => {
                format!("{name} {}", word("/content/0/text"))
            }
            "agent.tool_use" if word("/evaluated_permission") == "ask" => {
                format!("{name} {} ask", word("/name"))
            }
            "agent.tool_use" | "agent.custom_tool_use" => format!("{name} {}", word("/name")),
            "user.tool_confirmation" => format!("{name} {} {}", label(), word("/result")),
            "user.custom_tool_result" => {
                let label = self.label(word("/custom_tool_use_id").parse().unwrap());
                format!("{name} {label}: {}", word("/content/0/text"))
            }
            "agent.tool_result" => format!("{name} {}: {}", label(), word("/content/0/text")),
            "hostler.tool_started" => format!("{name} {}", label()),
            "session.status_idle" | "session.thread_status_idle" => {
                let details = json.pointer("/stop_details/category");
                let details = details.map_or(String::new(), |category| format!(" {category}"));
                let ids = json.pointer("/stop_reason/event_ids");
                let ids = ids.and_then(Value::as_array).into_iter().flatten();
                let ids: Vec<String> = ids
                    .map(|id| {
                        self.label(id.as_str().unwrap().parse().unwrap())
                            .to_string()
                    })
                    .collect();
                let ids = match ids.is_empty() {
                    true => String::new(),
                    false => format!(" {}", ids.join(" ")),
                };
                format!("{name} {}{ids}{details}", word("/stop_reason/type"))
            }
            "session.error" => {
                let (kind, status) = (word("/error/type"), word("/error/retry_status/type"));
                format!("{name} {kind} {status}")
            }
            "span.model_request_end" => match json["is_error"].as_bool() {
                Some(false) => name.to_owned(),
                Some(true) => format!("{name} error"),
                None => format!("{name} null"),
            },
            _ => name.to_owned(),
        }
    }

    /// What the model would be shown: a line for a message, blocks between bars.
    pub(crate) fn shown(&self) -> String {
        let message = |message: &std::sync::Arc<hostler_domain::session::Message>| {
            let role = match message.role {
                Role::User => "user",
                Role::Assistant => "assistant",
                Role::System => "system",
            };
            let blocks: Vec<String> = message.blocks.iter().map(show_block).collect();
            format!("{role}: {}", blocks.join(" | "))
        };
        let lines: Vec<String> = self.state.messages().iter().map(message).collect();
        lines.join("\n")
    }
}

pub(crate) fn block_json(block: &Block) -> Value {
    match block {
        Block::Json(json) => serde_json::from_str(json.get()).unwrap(),
        Block::WithFile { block, .. } => serde_json::to_value(block).unwrap(),
        Block::Result(result) => result.json(&mut |block| serde_json::to_value(block).ok()),
    }
}

fn show_block(block: &Block) -> String {
    let json = block_json(block);
    let word = |pointer: &str| json.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    match word("/type") {
        "text" => word("/text").to_owned(),
        "tool_use" => format!("use {}", word("/id")),
        "tool_result" => format!(
            "result {}: {}",
            word("/tool_use_id"),
            word("/content/0/text")
        ),
        other => other.to_owned(),
    }
}
