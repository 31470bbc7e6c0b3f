//! A log under construction, and its compact text form: one line for a fact, in the order in
//! which it was recorded. The first row is implied.
//!
//! ```text
//! user: hello          interrupt               the client's; `took message` and `took interrupt`
//! running              rescheduled             are their public places
//! idle                 terminated              statuses, the thread's included
//! start                end | end error         a model request; in between:
//! says: hi             calls bash [denied | asked]   thinks
//! asks look_up [within 10s]                          a custom tool
//! answered [refusal | pause_turn | max_tokens] [tokens 900]
//! failed [too_long | rejected] [in 10s]
//! compacted: so far
//! started 1            result 1: done          the first call of the log
//! allow 1   deny 1: no   given 1: done         the client's word on a call, and a custom result
//! system: be brief                             the client's, too; `took system`
//! ```
//!
//! `@2` at the end says which epoch wrote the row (else 1), `pass 10s` moves the clock.

use std::time::Duration;

use hostler_domain::Env;
use hostler_domain::session::{Policy, State, Step};
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    AgentCustomToolUse, AgentMessage, AgentToolResult, AgentToolUse, Confirmed, ContextCompacted,
    CustomToolResult, Draft, Empty, Epoch, EvaluatedPermission, Event, InputProcessed, ModelFailed,
    ModelRequestEnd, ModelResponse, ModelStop, ModelUsage, ProviderToolUse, Recorded,
    ResultDeadline, Seq, SessionCreated, SessionErrorKind, SessionIdle, SessionUsageEvent,
    StopReason, SystemMessage, ThreadIdle, ThreadStatus, TokenUsage, ToolConfirmation, ToolStarted,
    UserInterrupt, UserMessage,
};
use hostler_protocol::id::{EventId, ThreadId};
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

/// What each answer costs: one cent.
pub(crate) const COST: u64 = 10_000_000;

pub(crate) struct Log {
    pub(crate) rows: Vec<Recorded>,
    pub(crate) state: State,
    pub(crate) env: Env,
    pub(crate) epoch: Epoch,
    pub(crate) policy: Policy,
    /// What the model has said since the last start.
    blocks: Vec<Box<RawValue>>,
    tool_uses: Vec<ProviderToolUse>,
}

impl Log {
    pub(crate) fn new() -> Self {
        let env = Env::fixed(1);
        let first = Draft {
            id: env.id(),
            at: env.now(),
            thread: None,
            event: Event::SessionCreated(Box::new(SessionCreated {
                agent: agent(&env),
                environment_id: env.id(),
                session_thread_id: env.id(),
            })),
        }
        .recorded(Seq(1), Epoch::CLIENT);
        Self {
            state: State::new(&first),
            rows: vec![first],
            env,
            epoch: Epoch(1),
            policy: Policy {
                attempts_max: 3,
                tool_rounds_max: 20,
                context_window: Some(10_000),
                compaction_percent: 80,
            },
            blocks: Vec::new(),
            tool_uses: Vec::new(),
        }
    }

    pub(crate) fn read(text: &str) -> Self {
        let mut log = Self::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            log.line(line);
        }
        log
    }

    pub(crate) fn step(&self) -> Step {
        self.state.next(self.epoch, self.env.now(), &self.policy)
    }

    /// Appends as the runner does.
    pub(crate) fn push(&mut self, event: Event) -> EventId {
        self.push_as(self.epoch, event)
    }

    pub(crate) fn push_as(&mut self, epoch: Epoch, event: Event) -> EventId {
        let draft = Draft {
            id: self.env.id(),
            at: self.env.now(),
            thread: None,
            event,
        };
        let recorded = draft.recorded(self.state.last_seq().next(), epoch);
        self.state.apply(&recorded);
        self.rows.push(recorded);
        self.rows.last().unwrap().id
    }

    pub(crate) fn line(&mut self, line: &str) {
        let (line, epoch) = match line.rsplit_once(" @") {
            Some((line, epoch)) => (line, Epoch(epoch.parse().unwrap())),
            None => (line, self.epoch),
        };
        let before = std::mem::replace(&mut self.epoch, epoch);
        let (head, rest) = line.split_once([' ', ':']).unwrap_or((line, ""));
        let rest = rest.trim();
        if !self.input_line(head, rest) && !self.model_line(head, rest) {
            self.other_line(head, rest);
        }
        self.epoch = before;
    }

    fn input_line(&mut self, head: &str, rest: &str) -> bool {
        match head {
            "user" => {
                self.push_as(Epoch::CLIENT, Event::UserMessage(message(rest)));
            }
            "interrupt" => {
                let interrupt = UserInterrupt::default();
                self.push_as(Epoch::CLIENT, Event::UserInterrupt(interrupt));
            }
            "system" => {
                self.push_as(Epoch::CLIENT, Event::SystemMessage(system_message(rest)));
            }
            "allow" | "deny" | "given" => {
                let answer = self.answer(head, rest);
                self.push_as(Epoch::CLIENT, answer);
            }
            "took" => {
                let wanted = match rest {
                    "system" => "system.message".to_owned(),
                    _ => format!("user.{rest}"),
                };
                let processed = self
                    .rows
                    .iter()
                    .filter(|row| self.state.summary().queued.contains(&row.seq))
                    .find(|row| row.event.name() == wanted)
                    .map(|row| InputProcessed {
                        event_id: row.id,
                        event_type: wanted.clone(),
                        received_seq: row.seq,
                    })
                    .expect("an input that waits");
                self.push(Event::InputProcessed(processed));
            }
            _ => return false,
        }
        true
    }

    fn model_line(&mut self, head: &str, rest: &str) -> bool {
        match head {
            "start" => {
                self.push(Event::ModelRequestStart(Empty {}));
            }
            "says" => {
                let text = json!({"type": "text", "text": rest});
                self.blocks.push(to_raw_value(&text).unwrap());
                let content = vec![ContentBlock::text(rest)];
                self.push(Event::AgentMessage(AgentMessage { content }));
            }
            "thinks" => {
                let thought = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
                self.blocks.push(to_raw_value(&thought).unwrap());
                self.push(Event::AgentThinking(Empty {}));
            }
            "calls" => self.calls(rest),
            "asks" => self.asks(rest),
            "answered" => self.answered(rest),
            "end" => self.end(match rest {
                "" => Some(false),
                "error" => Some(true),
                _ => None,
            }),
            "failed" => self.failed(rest),
            "compacted" => {
                let compacted = ContextCompacted {
                    model_request_start_id: self.last_start(),
                    summary: rest.to_owned(),
                    usage: tokens(100),
                    cost_nano_dollars: COST,
                };
                self.push(Event::ContextCompacted(compacted));
                self.push(Event::AgentThreadContextCompacted(Empty {}));
            }
            _ => return false,
        }
        true
    }

    fn other_line(&mut self, head: &str, rest: &str) {
        let thread = ThreadStatus {
            session_thread_id: self.thread(),
            agent_name: "tester".to_owned(),
        };
        match head {
            "running" => {
                self.push(Event::SessionStatusRunning(Empty {}));
                self.push(Event::SessionThreadStatusRunning(thread));
            }
            "rescheduled" => {
                self.push(Event::SessionThreadStatusRescheduled(thread));
                self.push(Event::SessionStatusRescheduled(Empty {}));
            }
            "terminated" => {
                self.push(Event::SessionThreadStatusTerminated(thread));
                self.push(Event::SessionStatusTerminated(Empty {}));
            }
            "idle" => self.idle(),
            "started" => {
                let tool_use_id = self.call(rest);
                self.push(Event::ToolStarted(ToolStarted { tool_use_id }));
            }
            "result" => {
                let (label, text) = rest.split_once(':').unwrap_or((rest, "done"));
                let result = AgentToolResult {
                    tool_use_id: self.call(label),
                    content: vec![ContentBlock::text(text.trim())],
                    is_error: false,
                };
                self.push(Event::AgentToolResult(result));
            }
            "pass" => {
                let seconds = rest.trim_end_matches('s').parse().unwrap();
                self.env.advance(Duration::from_secs(seconds));
            }
            _ => panic!("no such line: {head} {rest}"),
        }
    }

    fn calls(&mut self, rest: &str) {
        let (name, permission) = match rest.split_once(' ') {
            Some((name, "asked")) => (name, EvaluatedPermission::Ask),
            Some((name, _denied)) => (name, EvaluatedPermission::Deny),
            None => (rest, EvaluatedPermission::Allow),
        };
        let call = AgentToolUse {
            name: name.to_owned(),
            input: RawValue::from_string("{}".to_owned()).unwrap(),
            evaluated_permission: permission,
            evaluation: None,
        };
        let event_id = self.push(Event::AgentToolUse(call));
        self.called(event_id, name);
    }

    fn asks(&mut self, rest: &str) {
        let (name, within) = match rest.split_once(" within ") {
            Some((name, seconds)) => (name, Some(seconds)),
            None => (rest, None),
        };
        let event_id = self.push(Event::AgentCustomToolUse(AgentCustomToolUse {
            name: name.to_owned(),
            input: RawValue::from_string("{}".to_owned()).unwrap(),
        }));
        if let Some(seconds) = within {
            let seconds = seconds.trim_end_matches('s').parse().unwrap();
            self.push(Event::ResultDeadline(ResultDeadline {
                custom_tool_use_id: event_id,
                at: self.env.now().plus(Duration::from_secs(seconds)),
            }));
        }
        self.called(event_id, name);
    }

    fn called(&mut self, event_id: EventId, name: &str) {
        let provider_id = format!("toolu_{}", self.label(event_id));
        let block = json!({"type": "tool_use", "id": provider_id, "name": name, "input": {}});
        self.blocks.push(to_raw_value(&block).unwrap());
        self.tool_uses.push(ProviderToolUse {
            event_id,
            provider_id,
        });
    }

    fn answered(&mut self, rest: &str) {
        let mut words = rest.split(' ');
        let (mut stop, mut usage) = (ModelStop::EndTurn, tokens(100));
        while let Some(word) = words.next() {
            match word {
                "tokens" => usage = tokens(words.next().unwrap().parse().unwrap()),
                "refusal" => {
                    stop = ModelStop::Refusal {
                        category: Some("cyber".to_owned()),
                        explanation: None,
                    };
                }
                "pause_turn" => stop = ModelStop::PauseTurn,
                "max_tokens" => stop = ModelStop::MaxTokens,
                _ => {}
            }
        }
        let response = ModelResponse {
            model_request_start_id: self.last_start(),
            based_on: self.state.last_input(),
            blocks: std::mem::take(&mut self.blocks),
            tool_uses: std::mem::take(&mut self.tool_uses),
            stop,
            usage,
            cost_nano_dollars: COST,
        };
        self.push(Event::ModelResponse(response));
    }

    fn failed(&mut self, rest: &str) {
        let mut retry_at = None;
        if let Some((_, seconds)) = rest.split_once("in ") {
            let seconds = seconds.trim_end_matches('s').parse().unwrap();
            retry_at = Some(self.env.now().plus(Duration::from_secs(seconds)));
        }
        let failed = ModelFailed {
            model_request_start_id: self.last_start(),
            error: SessionErrorKind::ModelOverloadedError,
            message: "no answer".to_owned(),
            retry_at,
            context_too_long: rest.starts_with("too_long"),
            rejected: rest.starts_with("rejected"),
            usage: TokenUsage::default(),
            cost_nano_dollars: 0,
        };
        self.push(Event::ModelFailed(failed));
    }

    fn end(&mut self, is_error: Option<bool>) {
        let end = ModelRequestEnd {
            model_request_start_id: self.last_start(),
            is_error,
            model_usage: ModelUsage::default(),
        };
        self.push(Event::ModelRequestEnd(end));
    }

    fn idle(&mut self) {
        self.push(Event::SessionThreadStatusIdle(ThreadIdle {
            session_thread_id: self.thread(),
            agent_name: "tester".to_owned(),
            stop_reason: StopReason::EndTurn,
            stop_details: None,
        }));
        self.push(Event::SessionUsage(SessionUsageEvent {
            usage: self.state.summary().usage(self.env.now()),
            budget: (),
        }));
        self.push(Event::SessionStatusIdle(SessionIdle {
            stop_reason: StopReason::EndTurn,
            stop_details: None,
        }));
    }

    pub(crate) fn thread(&self) -> ThreadId {
        self.state.summary().thread
    }

    fn last_start(&self) -> EventId {
        let mut starts = self.rows.iter().rev();
        let start = starts.find(|row| row.event.name() == "span.model_request_start");
        start.expect("a request has started").id
    }

    /// `allow 1`, `deny 1: why`, `given 1: done`.
    pub(crate) fn answer(&self, head: &str, rest: &str) -> Event {
        let (label, text) = rest.split_once(':').unwrap_or((rest, ""));
        let (id, text) = (self.call(label), text.trim());
        let confirmation = |result, deny_message| {
            Event::UserToolConfirmation(ToolConfirmation {
                tool_use_id: id,
                result,
                deny_message,
            })
        };
        match head {
            "allow" => confirmation(Confirmed::Allow, None),
            "deny" => confirmation(Confirmed::Deny, Some(text.to_owned())),
            _ => Event::UserCustomToolResult(CustomToolResult {
                custom_tool_use_id: id,
                content: vec![ContentBlock::text(text)],
                is_error: false,
            }),
        }
    }

    /// The calls of the log are numbered from 1.
    pub(crate) fn label(&self, id: EventId) -> usize {
        1 + self.call_ids().position(|call| call == id).unwrap()
    }

    pub(crate) fn call(&self, label: &str) -> EventId {
        let label: usize = label.parse().unwrap();
        self.call_ids().nth(label - 1).unwrap()
    }

    fn call_ids(&self) -> impl Iterator<Item = EventId> {
        let calls = self
            .rows
            .iter()
            .filter(|row| row.event.name().ends_with("tool_use"));
        calls.map(|row| row.id)
    }
}

pub(crate) fn system_message(text: &str) -> SystemMessage {
    SystemMessage {
        content: vec![ContentBlock::text(text)],
    }
}

pub(crate) fn message(text: &str) -> UserMessage {
    UserMessage {
        content: vec![ContentBlock::text(text)],
    }
}

pub(crate) fn tokens(input: u64) -> TokenUsage {
    TokenUsage {
        input_tokens: input,
        ..TokenUsage::default()
    }
}

fn agent(env: &Env) -> SessionAgent {
    let id: hostler_protocol::id::AgentId = env.id();
    serde_json::from_value(json!({
        "type": "agent", "id": id, "version": 1, "name": "tester", "description": null,
        "system": null,
        "model": {"id": "m", "effort": {"type": "high"}, "speed": "standard"},
        "tools": [], "mcp_servers": [], "skills": [],
        "execution_identity": {"type": "service_account"}, "multiagent": null
    }))
    .unwrap()
}
