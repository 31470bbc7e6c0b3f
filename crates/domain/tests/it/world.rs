//! A runner in miniature: it records every decision until there is something to do, and then the
//! world does the next thing of a script.
//!
//! ```text
//! user: hello               interrupt; user: rather this       what a client sends at once
//! says: hi; calls bash      says: no; answered refusal         the model
//! fails in 10s              fails too_long; fails rejected     the model, not answering
//! summary: so far           result 1: done; result 2: done     a summary; tools
//! restart                   pass 10s
//! asks look_up; calls bash asked                       calls that wait for the client
//! allow 1; deny 2: no; given 3: done; system: so       the client's answers
//! ```

use hostler_domain::session::{CallSeen, Input, Purpose, Refusal, Step, accept};
use hostler_protocol::event::{Epoch, EvaluatedPermission, Event, UserInterrupt};
use hostler_protocol::id::EventId;

use crate::log::{Log, message, system_message};

/// More decisions in a row than any log should ask for.
pub(crate) const DECISIONS_MAX: usize = 16;

impl Log {
    pub(crate) fn play(script: &[&str]) -> Self {
        let mut log = Self::new();
        log.go_on(script);
        log
    }

    pub(crate) fn go_on(&mut self, script: &[&str]) {
        self.settle();
        for entry in script {
            self.happen(entry);
            self.settle();
        }
    }

    /// Records what follows until there is something to do or to wait for.
    pub(crate) fn settle(&mut self) -> Step {
        for _ in 0..DECISIONS_MAX {
            match self.step() {
                Step::Record(events) => {
                    assert!(!events.is_empty(), "a decision that records nothing");
                    for event in events {
                        self.push(event);
                    }
                }
                step @ Step::CallModel(_) => {
                    crate::shape::check(&self.state.messages());
                    return step;
                }
                step @ (Step::Wait { .. } | Step::RunTools(_)) => return step,
            }
        }
        panic!("{DECISIONS_MAX} decisions in a row; next:\n{}", self.next());
    }

    /// Lets clients send this, as the transaction that appends would take it.
    pub(crate) fn send(&mut self, inputs: Vec<Input>) -> Result<(), Refusal> {
        let accepted = accept(self.state.summary(), inputs, self.env.now())?;
        for event in accepted.into_events() {
            self.push_as(Epoch::CLIENT, event);
        }
        Ok(())
    }

    pub(crate) fn happen(&mut self, entry: &str) {
        let parts: Vec<&str> = entry.split("; ").collect();
        let (head, rest) = parts[0].split_once([' ', ':']).unwrap_or((parts[0], ""));
        let step = self.step();
        match head {
            "user" | "interrupt" | "system" | "allow" | "deny" | "given" => {
                let inputs = parts.iter().map(|part| self.input(part)).collect();
                self.send(inputs).expect("inputs that are taken");
            }
            "restart" => self.epoch = Epoch(self.epoch.0 + 1),
            "pass" => self.line(entry),
            "says" | "calls" | "asks" | "thinks" | "answered" => {
                assert_call(&step, Purpose::Answer, entry);
                for part in &parts {
                    self.line(part);
                }
                if !parts.iter().any(|part| part.starts_with("answered")) {
                    self.line("answered");
                }
                self.line("end");
            }
            "fails" => {
                assert!(matches!(step, Step::CallModel(_)), "{entry}: {step:?}");
                self.line("end error");
                self.line(&format!("failed {rest}"));
            }
            "summary" => {
                assert_call(&step, Purpose::Compact, entry);
                self.line(&format!("compacted: {rest}"));
                self.line("end");
            }
            "result" => {
                assert!(matches!(step, Step::RunTools(_)), "{entry}: {step:?}");
                for part in &parts {
                    self.line(part);
                }
            }
            _ => panic!("no such thing can happen: {entry}"),
        }
    }

    pub(crate) fn input(&self, part: &str) -> Input {
        let (head, rest) = part.split_once([' ', ':']).unwrap_or((part, ""));
        let rest = rest.trim();
        match head {
            "user" => Input::Message(message(rest)),
            "system" => Input::System(system_message(rest)),
            "interrupt" => Input::Interrupt(UserInterrupt::default()),
            _ => self.answering(head, rest),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "there are two kinds of answers"
    )]
    fn answering(&self, head: &str, rest: &str) -> Input {
        match self.answer(head, rest) {
            Event::UserToolConfirmation(confirmation) => {
                let seen = self.seen(confirmation.tool_use_id);
                Input::Confirmation(confirmation, seen)
            }
            Event::UserCustomToolResult(result) => {
                let seen = self.seen(result.custom_tool_use_id);
                Input::CustomToolResult(result, seen)
            }
            other => panic!("no answer: {other:?}"),
        }
    }

    /// What the log says of a call.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "there are two kinds of calls"
    )]
    fn seen(&self, id: EventId) -> Option<CallSeen> {
        let row = self.rows.iter().find(|row| row.id == id)?;
        match &row.event {
            Event::AgentCustomToolUse(_) => Some(CallSeen::Custom),
            Event::AgentToolUse(call) if call.evaluated_permission == EvaluatedPermission::Ask => {
                Some(CallSeen::Asked)
            }
            Event::AgentToolUse(_) => Some(CallSeen::Other),
            _ => None,
        }
    }
}

fn assert_call(step: &Step, purpose: Purpose, entry: &str) {
    let asked = matches!(step, Step::CallModel(call) if call.purpose == purpose);
    assert!(asked, "{entry}: {step:?}");
}

/// An event of a client that needs no acceptance.
pub(crate) fn interrupt() -> Event {
    Event::UserInterrupt(UserInterrupt::default())
}
