//! `hostler sandboxes`: what an operator sees of the sandboxes on this machine and does to them.
//!
//! It goes to the state directory and to the sandboxes themselves, so it works beside a server and
//! without one. It takes no lock, and a server that is at work there is not told: a call that runs
//! in a sandbox that is killed here becomes a result that says so.

pub mod exec;
mod raw_terminal;
mod report;

use std::path::Path;

use anyhow::{Context, bail};
use hostler_domain::Env;
use hostler_sandbox::{SandboxName, inspect, kill_one, survey};

use crate::config::Config;
use crate::terminal::say;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Text,
    Json,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SandboxesCommand {
    List(Form),
    Inspect { name: String, form: Form },
    Kill { name: String },
}

pub fn run(command: SandboxesCommand, config: &Config) -> anyhow::Result<()> {
    let folder = config.sandbox.state_dir.as_path();
    let now = Env::system().now();
    match command {
        SandboxesCommand::List(form) => {
            let surveyed = survey(folder).with_context(|| unreadable(folder))?;
            match form {
                Form::Text => say(&report::table(&surveyed, now)),
                Form::Json => say(&report::json_list(&surveyed)?),
            }
        }
        SandboxesCommand::Inspect { name, form } => {
            let name = known_or_pooled(folder, &name)?;
            let found = inspect(folder, &name).with_context(|| unreadable(folder))?;
            let Some(found) = found else {
                bail!("the sandbox {name} went away a moment ago");
            };
            match form {
                Form::Text => say(&report::page(&found, now)),
                Form::Json => say(&report::json_page(&found)?),
            }
        }
        SandboxesCommand::Kill { name } => {
            let name = known_or_pooled(folder, &name)?;
            let was_alive = kill_one(folder, &name).with_context(|| unreadable(folder))?;
            if was_alive {
                say(&format!(
                    "{name} has no processes any more; its files are kept.\n"
                ));
            } else {
                say(&format!("{name} had no processes.\n"));
            }
        }
    }
    Ok(())
}

fn unreadable(folder: &Path) -> String {
    format!(
        "the sandboxes in {} cannot be looked at; be the user that the server runs as",
        folder.display()
    )
}

/// The same for what may be done to one that nobody has claimed, too.
fn known_or_pooled(folder: &Path, name: &str) -> anyhow::Result<SandboxName> {
    let pooled = hostler_sandbox::pooled_names(folder).with_context(|| unreadable(folder))?;
    match pooled.into_iter().find(|label| label.as_str() == name) {
        Some(label) => Ok(label),
        None => known(folder, name),
    }
}

/// The name of a sandbox that is there, or an error that names those that are like it.
fn known(folder: &Path, name: &str) -> anyhow::Result<SandboxName> {
    let surveyed = hostler_sandbox::names(folder).with_context(|| unreadable(folder))?;
    if let Some(found) = surveyed.iter().find(|found| found.as_str() == name) {
        return Ok(found.clone());
    }
    let mut near: Vec<_> = surveyed
        .iter()
        .map(|found| (strsim::damerau_levenshtein(name, found.as_str()), found))
        .collect();
    near.sort();
    let near: Vec<_> = near.iter().take(3).map(|(_, name)| name.as_str()).collect();
    let shown = folder.display();
    if near.is_empty() {
        bail!(
            "there is no sandbox {name:?}: {shown} holds none; name the data folder with --data-dir"
        );
    }
    bail!(
        "there is no sandbox {name:?} in {shown}; the nearest of {} are: {}",
        surveyed.len(),
        near.join(", ")
    );
}
