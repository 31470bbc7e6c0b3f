//! The benchmarks: what the server costs, as ratios to what the machine costs without it.
//!
//! Each scenario starts a server of its own, talks to it over its public protocol alone, and measures the
//! floor in the same run. A goal that is missed is told and ends nothing: only wrong answers make it fail.

mod api;
mod bubblewrap;
mod client;
mod counters;
mod floor;
mod line;
mod machine;
mod model;
mod options;
mod outcome;
mod random;
mod report;
mod rig;
mod samples;
mod scenario;
mod server;
mod sse;
mod strace;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use rustix::process::{Resource, getpid, getrlimit, set_child_subreaper, setrlimit};

use machine::Machine;
use options::Options;
use outcome::Outcome;
use rig::Rig;
use scenario::SCENARIOS;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hostler-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    // Sandboxes that outlive the server stay our descendants, to be counted and ended.
    set_child_subreaper(Some(getpid()))?;
    // Each reader is a file here and one in the server, which inherits the limit.
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    setrlimit(Resource::Nofile, files)?;

    let machine = Machine::here(&options.folder()?, &options.server()?);
    print(&report::head(&machine));
    let mut outcomes = Vec::new();
    for (choice, title, id) in SCENARIOS {
        if options.wants(choice) {
            eprintln!("hostler-bench: {id}, {title}");
            let outcome = measure(choice, id, title, options).await?;
            print(&report::section(&outcome));
            outcomes.push(outcome);
        }
    }
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", report::json(&machine, &outcomes));
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    let failed = outcomes.iter().any(|outcome| !outcome.failures.is_empty());
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// A scenario that can't go on is a failure of that scenario; the others still run.
async fn measure(
    choice: options::Choice,
    id: &'static str,
    title: &'static str,
    options: &Options,
) -> anyhow::Result<Outcome> {
    let rig = Rig::new(options).await?;
    let mut outcome = Outcome::new(id, title);
    if let Err(error) = scenario::run(choice, &rig, &mut outcome).await {
        outcome
            .failures
            .push(format!("{error:#}; {}", rig.last_lines()));
    }
    let strays = rig.model.strays();
    outcome.fail_unless(strays == 0, || {
        format!("{strays} model requests without a known token")
    });
    let floor = rig.floor.summary();
    outcome.floor = Some(floor);
    let left = rig.end_descendants()?;
    if !left.is_empty() {
        outcome.note(format!(
            "outlived the server, as sandboxes do, and were ended: {}",
            counted(&left)
        ));
    }
    Ok(outcome)
}

/// Each name once, with how often it is there.
fn counted(names: &[String]) -> String {
    let mut counts = std::collections::BTreeMap::new();
    for name in names {
        *counts.entry(name.as_str()).or_insert(0) += 1;
    }
    let counts = counts.iter().map(|(name, count)| format!("{count} {name}"));
    counts.collect::<Vec<_>>().join(", ")
}

#[expect(
    clippy::print_stdout,
    reason = "the report is what this program is for"
)]
fn print(text: &str) {
    println!("{text}");
}
