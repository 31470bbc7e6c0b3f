//! Properties that hold for any log that a runner and its clients can write.
//!
//! A random walk of the runner in miniature makes the logs: at each step the world does something
//! that is possible there, or a client sends something.

use hostler_domain::session::{Purpose, State, Step, Summary};
use hostler_protocol::event::{Epoch, Event};
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
            0 => log.happen("user: x"),
            1 => log.happen("interrupt"),
            2 => log.happen("interrupt; user: x"),
            3 => log.happen("user: x; interrupt"),
            4 => log.happen("restart"),
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
        Step::Wait { until: None } => log.happen("user: x"),
        Step::CallModel(call) if call.purpose == Purpose::Answer => log.happen(match world % 12 {
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
        let due_before = log.state.summary().needs_runner_at();
        let rests = matches!(log.step(), Step::Wait { until: None });
        prop_assert_eq!(due_before.is_none(), rests);
        if let Step::Wait { until: None } = log.settle() {
            prop_assert!(log.state.summary().queued.is_empty());
            prop_assert_eq!(log.state.summary().needs_runner_at(), None);
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
                "session.status_idle" => {
                    prop_assert!(!request && uses == results);
                    prop_assert_eq!(before, "session.usage");
                    running = false;
                }
                "span.model_request_start" => { prop_assert!(running && !request); request = true; }
                "span.model_request_end" => { prop_assert!(request); request = false; }
                "agent.tool_use" => { prop_assert!(request); uses += 1; }
                "agent.tool_result" => { prop_assert!(!request); results += 1; }
                "user.message" => prop_assert!(running && !request && uses == results),
                _ => {}
            }
            before = match name { "session.usage" => "session.usage", _ => "" };
        }
    }
}
