//! Properties that hold for any log that a runner and its clients can write.
//!
//! A random walk of the runner in miniature makes the logs: at each step the world does something
//! that is possible there, or a client sends something.

use hostler_domain::session::{Awaits, Purpose, Refusal, SessionStatus, State, Step, Summary};
use hostler_protocol::event::{Epoch, Event, Recorded};
use proptest::prelude::*;

use crate::log::Log;
use crate::world::{DECISIONS_MAX, interrupt};

/// What happens next, as far as chance decides it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chance {
    client: u8,
    world: u8,
}

pub(crate) fn chances(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Chance>> {
    let chance = (any::<u8>(), any::<u8>()).prop_map(|(client, world)| Chance { client, world });
    prop::collection::vec(chance, length)
}

pub(crate) fn walk(chances: &[Chance]) -> Log {
    let mut log = Log::new();
    for chance in chances {
        match chance.client % 16 {
            0 => tries(&mut log, "user: x"),
            1 => log.happen("interrupt"),
            2 => log.happen("interrupt; user: x"),
            3 => tries(&mut log, "user: x; interrupt"),
            4 => log.happen("restart"),
            5 => answers(&mut log, chance.world),
            6 => tries(&mut log, "user: x; system: s"),
            7 => tries(&mut log, "system: s"),
            _ => world_does(&mut log, chance.world),
        }
        // Sometimes more arrives before a runner looks.
        if !chance.world.is_multiple_of(3) {
            log.settle();
        }
    }
    log
}

fn world_does(log: &mut Log, world: u8) {
    match log.settle() {
        Step::Wait { until: Some(_) } => log.happen("pass 4s"),
        Step::Wait { until: None } if !log.state.summary().awaited.is_empty() => {
            match world.is_multiple_of(7) {
                true => log.happen("pass 9s"),
                false => answers(log, world),
            }
        }
        Step::Wait { until: None } => log.happen("user: x"),
        Step::CallModel(call) if call.purpose == Purpose::Answer => log.happen(match world % 16 {
            12 => "says: x; asks look_up; asks look_up within 7s",
            13 => "calls bash; calls bash asked; asks look_up",
            14 => "calls bash asked; calls web denied; answered refusal",
            15 => "calls bash asked; calls read asked",
            0..3 => "says: x",
            3 | 4 => "says: x; calls bash; calls read",
            5 => "calls bash; calls web denied; answered tokens 8500",
            6 => "says: x; answered tokens 9000",
            7 => "answered pause_turn",
            8 => "says: x; calls bash; answered refusal",
            9 => "fails in 9s",
            10 => "fails too_long",
            _ => "fails",
        }),
        Step::CallModel(_) => log.happen(match world % 4 {
            0 => "fails in 9s",
            1 => "fails too_long",
            _ => "summary: s",
        }),
        Step::RunTools(calls) => {
            let call = calls[usize::from(world) % calls.len()];
            let label = log.label(call.id);
            log.happen(&format!(
                "result {label}: {}",
                if world.is_multiple_of(5) { "" } else { "x" }
            ));
        }
        Step::Record(_) => unreachable!("settled"),
    }
}

/// What is refused where it comes at the wrong time.
fn tries(log: &mut Log, entry: &str) {
    let inputs = entry.split("; ").map(|part| log.input(part)).collect();
    match log.send(inputs) {
        Ok(()) => {}
        Err(refusal) => assert!(
            matches!(refusal, Refusal::WaitsForAction { .. }),
            "{refusal}"
        ),
    }
}

/// The client answers some of what waits for it, or answers again what it has answered.
fn answers(log: &mut Log, world: u8) {
    let awaited = log.state.summary().awaited.clone();
    let Some(one) = awaited.get(usize::from(world) % awaited.len().max(1)) else {
        return;
    };
    let label = log.label(one.id);
    let answer = match one.awaits {
        Awaits::Confirmation if world.is_multiple_of(2) => format!("deny {label}: no"),
        Awaits::Confirmation => format!("allow {label}"),
        Awaits::Result => format!("given {label}: y"),
    };
    match world % 5 {
        0 => log.happen(&format!("{answer}; {answer}")),
        1 => log.happen(&format!("{answer}; interrupt")),
        _ => log.happen(&answer),
    }
}

pub(crate) fn fold(log: &Log, length: usize) -> State {
    let mut state = State::new(&log.rows[0]);
    for row in &log.rows[1..length] {
        state.apply(row);
    }
    state
}

fn next(log: &Log, state: &State, epoch: Epoch) -> Step {
    state.next(epoch, log.env.now(), &log.policy)
}

/// Records decisions until there is something else to do.
fn settle(log: &Log, state: &mut State, epoch: Epoch) -> Step {
    for _ in 0..DECISIONS_MAX {
        match next(log, state, epoch) {
            Step::Record(events) => record(log, state, epoch, events),
            step @ (Step::Wait { .. } | Step::CallModel(_) | Step::RunTools(_)) => return step,
        }
    }
    panic!("{DECISIONS_MAX} decisions in a row");
}

fn record(log: &Log, state: &mut State, epoch: Epoch, events: Vec<Event>) {
    assert!(!events.is_empty(), "a decision that records nothing");
    for event in events {
        let draft = hostler_protocol::event::Draft {
            id: log.env.id(),
            at: log.env.now(),
            thread: None,
            event,
        };
        state.apply_draft(&draft, epoch);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Any prefix folds, has a next step for any epoch, and settles in a few decisions.
    #[test]
    fn every_prefix_folds_and_settles(chances in chances(0..40), later in any::<bool>()) {
        let log = walk(&chances);
        let epoch = Epoch(log.epoch.0 + i64::from(later));
        let mut state = State::new(&log.rows[0]);
        for row in &log.rows[1..] {
            let mut here = state.clone();
            if let Step::CallModel(_) = settle(&log, &mut here, epoch) {
                crate::shape::check(&here.messages());
            }
            state.apply(row);
        }
        settle(&log, &mut state, epoch);
    }

    /// Folding stops and goes on anywhere; the row beside the log is the fold's own.
    #[test]
    fn a_fold_can_be_interrupted(chances in chances(0..40), cut in any::<prop::sample::Index>()) {
        let log = walk(&chances);
        let cut = 1 + cut.index(log.rows.len());
        let mut halves = fold(&log, cut).clone();
        for row in &log.rows[cut.min(log.rows.len())..] {
            halves.apply(row);
        }
        let whole = fold(&log, log.rows.len());
        prop_assert_eq!(format!("{halves:?}"), format!("{whole:?}"));

        let mut summary = Summary::new(log.thread(), "tester".to_owned(), log.rows[0].at);
        for row in &log.rows[1..] {
            summary.apply(row);
        }
        prop_assert_eq!(&summary, whole.summary());
    }

    /// An interrupt leads to idle before anything else is done, and to a wait if no message does.
    #[test]
    fn an_interrupt_leads_to_rest(chances in chances(0..40), cut in any::<prop::sample::Index>()) {
        let log = walk(&chances);
        let mut state = fold(&log, 1 + cut.index(log.rows.len()));
        let draft = hostler_protocol::event::Draft {
            id: log.env.id(), at: log.env.now(), thread: None, event: interrupt(),
        };
        state.apply_draft(&draft, Epoch::CLIENT);
        let at_rest = |state: &State| {
            let name = state.status().as_str();
            name == "idle" || name == "terminated"
        };
        for _ in 0..DECISIONS_MAX {
            if at_rest(&state) {
                break;
            }
            match next(&log, &state, log.epoch) {
                Step::Record(events) => record(&log, &mut state, log.epoch, events),
                other @ (Step::Wait { .. } | Step::CallModel(_) | Step::RunTools(_)) => {
                    prop_assert!(false, "{:?} before rest", other);
                }
            }
        }
        prop_assert!(at_rest(&state), "{:?}", state.summary());
        let messages = log.rows.iter().filter(|row| {
            row.event.name() == "user.message" && state.summary().queued.contains(&row.seq)
        });
        if messages.count() == 0 {
            let step = settle(&log, &mut state, log.epoch);
            prop_assert!(matches!(step, Step::Wait { until: None }), "{:?}", step);
        }
    }

    /// No message is lost: when the session rests, nothing waits, and a runner is due exactly
    /// when there is something to do.
    #[test]
    fn at_rest_nothing_waits(chances in chances(0..40)) {
        let mut log = walk(&chances);
        // A deadline is no work before it has passed.
        let is_due = |log: &Log| {
            let at = log.state.summary().needs_runner_at();
            at.is_some_and(|at| log.state.status() != SessionStatus::Idle || at <= log.env.now())
        };
        let due_before = is_due(&log);
        let rests = matches!(log.step(), Step::Wait { until: None });
        prop_assert_eq!(!due_before, rests);
        if let Step::Wait { until: None } = log.settle() {
            prop_assert!(!is_due(&log));
            // Rests until the client has answered, or a deadline has passed.
            let waits = !log.state.summary().awaited.is_empty();
            let queued = &log.state.summary().queued;
            let waiting = log.rows.iter().filter(|row| queued.contains(&row.seq));
            let is_system = |row: &Recorded| row.event.name() == "system.message";
            prop_assert!(waits || waiting.clone().all(is_system));
            if waits {
                return Ok(());
            }
            let public = log.public();
            let sent = log.rows.iter().filter(|row| row.event.name() == "user.message").count();
            let shown = public.lines().filter(|line| line.starts_with("user.message")).count();
            prop_assert_eq!(sent, shown);
        }
    }

    /// Clients see well-formed turns: every status, request and call is closed before idle, and
    /// usage stands directly before it.
    #[test]
    fn clients_see_well_formed_turns(chances in chances(0..40)) {
        let log = walk(&chances);
        let (mut running, mut request, mut uses, mut results) = (false, false, 0, 0);
        let mut before = "";
        for line in log.public().lines() {
            let name = line.split(' ').next().unwrap();
            match name {
                "session.status_running" => { prop_assert!(!running); running = true; }
                "session.status_rescheduled" => { prop_assert!(running && !request); running = false; }
                "session.status_idle" if line.contains("requires_action") => {
                    let waiting = line.split(' ').count() - 2;
                    prop_assert!(!request && waiting > 0 && uses - results >= waiting);
                    prop_assert_eq!(before, "session.usage");
                    running = false;
                }
                "session.status_idle" => {
                    prop_assert!(!request && uses == results);
                    prop_assert_eq!(before, "session.usage");
                    running = false;
                }
                "span.model_request_start" => { prop_assert!(running && !request); request = true; }
                "span.model_request_end" => { prop_assert!(request); request = false; }
                "agent.tool_use" | "agent.custom_tool_use" => {
                    prop_assert!(request);
                    uses += 1;
                }
                "agent.tool_result" | "user.custom_tool_result" => {
                    prop_assert!(!request);
                    results += 1;
                }
                "user.message" => prop_assert!(running && !request && uses == results),
                _ => {}
            }
            before = match name { "session.usage" => "session.usage", _ => "" };
        }
    }
}
