//! Servers, a database, a model and machines that are not there, in a time that is not there either:
//! thousands of lives by seed, each judged by what clients were told (docs/adr/0021).
//!
//! The real engine and the real statements of the store run; what is simulated is at their edges. A seed
//! that finds something is repeated with `make test-simulation SEEDS=1 FIRST_SEED=<seed>`.

mod client;
mod judge;
mod model;
mod office;
mod plan;
mod random;
mod reader;
mod server;
mod world;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, Once};

use hostler_protocol::event::{Event, Recorded};
use judge::{is_given_up, judge};
use world::{Lie, Outcome, run};

/// Without a word about it.
const SEEDS: u64 = 300;

thread_local! {
    /// On this thread, which simulates one seed after the other.
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// A panic of a runner is caught by its supervisor, which is right; here it is a finding.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            before(panic);
        }));
    });
}

fn findings(seed: u64, lie: Lie) -> (Outcome, Vec<String>) {
    PANICS.set(0);
    let outcome = run(seed, lie);
    let mut broken = judge(&outcome);
    match PANICS.get() {
        0 => {}
        panics => broken.push(format!("{panics} panics")),
    }
    (outcome, broken)
}

#[derive(Default)]
struct Tally {
    counts: Mutex<BTreeMap<String, u64>>,
    found: Mutex<Vec<(u64, Vec<String>)>>,
}

#[test]
fn no_seed_breaks_a_promise() {
    count_panics();
    let (first, seeds) = (setting("FIRST_SEED", 0), setting("SEEDS", SEEDS));
    let (next, tally) = (AtomicU64::new(first), Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds {
                        return;
                    }
                    tally.add(seed, &findings(seed, Lie::None));
                }
            });
        }
    });
    tally.tell();
    let found = tally.found.into_inner().unwrap();
    for (seed, broken) in &found {
        println!("make test-simulation SEEDS=1 FIRST_SEED={seed}");
        broken
            .iter()
            .for_each(|sentence| println!("    {sentence}"));
    }
    assert!(
        found.is_empty(),
        "{} seeds have found something",
        found.len()
    );
}

impl Tally {
    fn add(&self, seed: u64, (outcome, broken): &(Outcome, Vec<String>)) {
        let mut counts = self.counts.lock().unwrap();
        let mut count =
            |what: &str, times: usize| *counts.entry(what.to_owned()).or_default() += times as u64;
        count("seeds", 1);
        count("calls", outcome.ran.len());
        count("simulated seconds", outcome.simulated.as_secs() as usize);
        for line in &outcome.trace {
            // Between the time and the number.
            let known = [
                "is killed",
                "dies in a commit",
                "goes on",
                "loses its power",
                "has ended",
            ];
            for how in known.iter().filter(|how| line.ends_with(*how)) {
                count(how, usize::from(line.contains(" server ")));
            }
        }
        for kept in outcome
            .sessions
            .iter()
            .filter_map(|session| session.kept.as_ref())
        {
            count("sessions", 1);
            count("rows", kept.log.len());
            count("given up", usize::from(is_given_up(kept)));
            let epochs: BTreeSet<_> = kept.log.iter().map(|row| row.epoch).collect();
            count("runners that appended", epochs.len() - 1);
            for row in &kept.log {
                count(row.event.name(), 1);
            }
            let unknown = |row: &&Recorded| match &row.event {
                Event::AgentToolResult(result) => format!("{result:?}").contains("may or may not"),
                _ => false,
            };
            count(
                "calls told as unknown",
                kept.log.iter().filter(unknown).count(),
            );
        }
        drop(counts);
        if !broken.is_empty() {
            if let Some(folder) = trace_folder() {
                let path = std::path::Path::new(&folder).join(format!("{seed}.txt"));
                std::fs::write(path, outcome.trace.join("\n")).unwrap();
            }
            self.found.lock().unwrap().push((seed, broken.clone()));
        }
    }

    fn tell(&self) {
        for (what, times) in &*self.counts.lock().unwrap() {
            println!("{times:>9} {what}");
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how much to test is said from outside"
)]
fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(format!("HOSTLER_TEST_SIMULATION_{name}"));
    text.map_or(default, |text| text.parse().expect("a number"))
}

/// Where what happened under seeds that find something is written down.
#[expect(
    clippy::disallowed_methods,
    reason = "how much to test is said from outside"
)]
fn trace_folder() -> Option<std::ffi::OsString> {
    std::env::var_os("HOSTLER_TEST_SIMULATION_TRACES")
}

#[test]
fn a_seed_tells_the_same_story_each_time() {
    for seed in 1_000..1_012 {
        let (one, other) = (run(seed, Lie::None).trace, run(seed, Lie::None).trace);
        let differs = one.iter().zip(&other).find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(one.len(), other.len(), "seed {seed}");
    }
}

/// How many seeds it takes until the judge sees it.
fn seeds_until_seen(lie: Lie) -> u64 {
    (0..100)
        .find(|seed| !findings(*seed, lie).1.is_empty())
        .expect("nobody has seen it")
}

#[test]
fn the_judge_sees_a_database_that_forgets_what_it_has_acknowledged() {
    seeds_until_seen(Lie::Commits);
}

#[test]
fn the_judge_sees_two_servers_with_one_lease() {
    seeds_until_seen(Lie::Leases);
}

#[test]
fn the_judge_sees_a_command_that_runs_twice() {
    seeds_until_seen(Lie::Commands);
}
