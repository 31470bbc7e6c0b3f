//! A runner that dies behind each of its appends, with wake-ups on and off: the next one takes
//! the ordinary path, and the logs agree up to the marks of the attempts.

use std::collections::BTreeMap;
use std::time::Duration;

use hostler_protocol::event::{AgentToolResult, Event, Recorded, Seq};
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::{StoreOptions, WakeUps};
use hostler_testkit::{Gate, RecordedRequest, Reply};
use serde_json::json;

use super::shown::{public, text};
use super::world::World;

/// More appends than the scenario has; the test proves it.
const APPENDS_MAX: u64 = 40;

/// The model of the scenario, as a function of what it is shown, so that it answers a repeated
/// request as it did before. `never` keeps its third answer back until it is interrupted.
fn answer(request: &RecordedRequest, never: &Gate) -> Reply {
    let messages = request.messages();
    let blocks = messages
        .iter()
        .filter_map(|message| message["content"].as_array())
        .flatten();
    match blocks
        .filter(|block| block["type"] == "tool_result")
        .count()
    {
        0 => Reply::new()
            .and_text("Two at once.")
            // It ends only after the message in mid-turn was sent.
            .and_tool_use(
                "bash",
                json!({"command": "echo one >> ran; until [ -e go ]; do sleep 0.01; done"}),
            )
            .and_tool_use("write", json!({"file_path": "second", "content": "2"})),
        2 => Reply::tool_use("bash", json!({"command": "echo two >> ran"})),
        _ if request.text().contains("The end?") => Reply::text("All done."),
        _ => Reply::new().and_text("Never said.").and_wait(never),
    }
}

const INPUTS: usize = 4;

/// What a call answers that was under way when its runner died.
const UNKNOWN: &str = "may or may not have taken effect";

/// A message, one in mid-turn, an interrupt while the model writes, and a last message.
async fn send(world: &World, session: SessionId, position: usize) {
    match position {
        0 => world.say(session, "Start.").await,
        1 => {
            world.say(session, "In the middle.").await;
            std::fs::write(world.workspace(session).join("go"), "").unwrap();
        }
        2 => world.interrupt(session).await,
        _ => world.say(session, "The end?").await,
    }
}

/// Whether the input with this number may be sent. It depends on the log alone, so that the
/// scenario goes on the same way after a death.
fn is_due(log: &[Recorded], position: usize) -> bool {
    let count = |name: &str| log.iter().filter(|row| row.event.name() == name).count();
    let last = log.last().map(|row| row.event.name());
    match position {
        0 => true,
        1 => count("agent.tool_use") >= 1,
        2 => count("agent.tool_result") == 3 && last == Some("span.model_request_start"),
        _ => count("user.interrupt") >= 1 && last == Some("session.status_idle"),
    }
}

fn sent(log: &[Recorded]) -> usize {
    let is_input =
        |row: &&Recorded| matches!(row.event, Event::UserMessage(_) | Event::UserInterrupt(_));
    log.iter().filter(is_input).count()
}

/// Sends what is due by now: a client that outlives the server.
async fn catch_up(world: &World, session: SessionId) {
    loop {
        let log = world
            .store
            .read_log(session, Seq::default(), 10_000)
            .await
            .unwrap();
        let position = sent(&log);
        if position == INPUTS || !is_due(&log, position) {
            return;
        }
        send(world, session, position).await;
    }
}

/// The whole log at the end, or `None` if the power was cut before. A request that is under way
/// is always answered, as by a server that dies behind its answer.
async fn drive(world: &World, session: SessionId) -> Option<Vec<Recorded>> {
    loop {
        catch_up(world, session).await;
        let waits_for = |log: &[Recorded]| {
            let last = log.last().map(|row| row.event.name());
            world.store.is_cut_off()
                || match sent(log) {
                    INPUTS => last == Some("session.status_idle"),
                    position => is_due(log, position),
                }
        };
        let log = world.log_when(session, waits_for).await;
        if world.store.is_cut_off() {
            return None;
        }
        if sent(&log) == INPUTS {
            return Some(log);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_behind_each_append_changes_nothing_but_the_marks_of_attempts() {
    for wake_ups in [WakeUps::On, WakeUps::Off] {
        let whole = scenario(None, wake_ups).await;
        check(&whole);
        let (mut deaths, mut unknown) = (0, 0);
        for appends in 1..=APPENDS_MAX {
            let outcome = scenario(Some(appends), wake_ups).await;
            if !outcome.died {
                break;
            }
            deaths += 1;
            unknown += usize::from(outcome.has_unknown_result());
            check(&outcome);
            assert_eq!(
                outcome.story(),
                whole.story(),
                "death behind append {appends}"
            );
        }
        assert!((8..APPENDS_MAX).contains(&deaths), "{deaths} deaths");
        assert!(
            unknown > 0,
            "no death came between an intent and its result"
        );
    }
}

struct Outcome {
    log: Vec<Recorded>,
    /// Lines that the two commands wrote, in the sandbox's workspace.
    ran: String,
    died: bool,
}

impl Outcome {
    fn has_unknown_result(&self) -> bool {
        let results = bash_results(&self.log);
        results
            .iter()
            .any(|(_, result)| text(&result.content).contains(UNKNOWN))
    }

    /// What was said and done, without how often it was tried.
    fn story(&self) -> Vec<String> {
        let public = public(&self.log);
        let kept = public.iter().filter(|line| {
            line.starts_with("user.") || line.starts_with("says") || line.starts_with("uses")
        });
        kept.cloned().collect()
    }
}

async fn scenario(appends: Option<u64>, wake_ups: WakeUps) -> Outcome {
    let mut world = World::new().await;
    let never = Gate::new();
    world
        .model
        .otherwise(move |request| answer(request, &never));
    let look_interval = Duration::from_millis(20);
    let options = StoreOptions {
        wake_ups,
        look_interval,
        runner_appends_max: appends,
        ..StoreOptions::default()
    };
    world.reopen(options);
    let session = world.session().await;
    world.open_sandbox(session).await;
    let engine = world.engine().await;
    let finished = drive(&world, session).await;
    drop(engine);
    let died = finished.is_none();
    let log = match finished {
        Some(log) => log,
        None => {
            world.reopen(StoreOptions {
                runner_appends_max: None,
                ..options
            });
            catch_up(&world, session).await;
            let _engine = world.engine().await;
            drive(&world, session).await.expect("no second cut")
        }
    };
    let ran = world.workspace_file(session, "ran").unwrap_or_default();
    Outcome { log, ran, died }
}

/// What holds for every log, whoever died when.
fn check(outcome: &Outcome) {
    let log = &outcome.log;
    for (position, row) in log.iter().enumerate() {
        assert_eq!(row.seq.0, i64::try_from(position).unwrap() + 1, "no gap");
    }
    let names: Vec<&str> = log.iter().map(|row| row.event.name()).collect();
    for (position, name) in names.iter().enumerate() {
        if *name == "session.status_idle" {
            assert_eq!(
                names[position - 1],
                "session.usage",
                "usage directly before idle"
            );
        }
    }
    let started = |name: &str| names.iter().filter(|other| **other == name).count();
    assert_eq!(
        started("span.model_request_start"),
        started("span.model_request_end")
    );
    every_call_has_one_result(log);
    // No command ran twice, and one whose result is known to be good did run.
    for (word, result) in bash_results(log) {
        let runs = outcome.ran.lines().filter(|line| *line == word).count();
        assert!(runs <= 1, "{word} ran {runs} times");
        assert!(
            result.is_error || runs == 1,
            "{word} did not run: {result:?}"
        );
        assert!(
            !result.is_error || text(&result.content).contains(UNKNOWN),
            "a failure is told as unknown, nothing else: {result:?}"
        );
    }
}

/// What each command writes when it runs, and what its call answered.
fn bash_results(log: &[Recorded]) -> Vec<(&'static str, &AgentToolResult)> {
    let results = log.iter().filter_map(|row| {
        if let Event::AgentToolResult(result) = &row.event {
            Some(result)
        } else {
            None
        }
    });
    let result_of = |id: EventId| results.clone().find(|result| result.tool_use_id == id);
    let word = |input: &str| {
        ["one", "two"]
            .into_iter()
            .find(|word| input.contains(&format!("echo {word} ")))
    };
    log.iter()
        .filter_map(|row| {
            let Event::AgentToolUse(call) = &row.event else {
                return None;
            };
            Some((word(call.input.get())?, result_of(row.id)?))
        })
        .collect()
}

fn every_call_has_one_result(log: &[Recorded]) {
    let mut results: BTreeMap<EventId, Vec<String>> = BTreeMap::new();
    for row in log {
        if let Event::AgentToolResult(result) = &row.event {
            results
                .entry(result.tool_use_id)
                .or_default()
                .push(text(&result.content));
        }
    }
    for row in log
        .iter()
        .filter(|row| matches!(row.event, Event::AgentToolUse(_)))
    {
        let given = results.remove(&row.id).unwrap_or_default();
        assert_eq!(given.len(), 1, "one result for each call: {given:?}");
    }
    assert!(results.is_empty(), "no result without a call");
}
