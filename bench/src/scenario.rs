//! The scenarios, one file each. They take a rig and fill an outcome.

mod append;
mod first_token;
mod idle;
mod kills;
mod model_path;
mod readers;
mod sandbox;
mod turn_overhead;

use crate::options::Choice;
use crate::outcome::Outcome;
use crate::rig::Rig;

/// In the order in which they run, with the name of their goal.
pub(crate) const SCENARIOS: [(Choice, &str, &str); 8] = [
    (Choice::TurnOverhead, "turn overhead", "P1"),
    (Choice::FirstToken, "time to the first token", "P2"),
    (Choice::Append, "messages acknowledged in a second", "P3"),
    (Choice::Readers, "idle readers of event streams", "P4"),
    (Choice::Sandbox, "a sandbox and its first command", "P5"),
    (
        Choice::Idle,
        "memory, start and wake-up of what is idle",
        "P6",
    ),
    (Choice::ModelPath, "turns without tools", "P7"),
    (Choice::Kills, "killed under load", "R1, R2"),
];

pub(crate) async fn run(
    choice: Choice,
    rig: &Rig<'_>,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    match choice {
        // `all` is taken apart by the caller.
        Choice::All => Ok(()),
        Choice::TurnOverhead => Box::pin(turn_overhead::run(rig, outcome)).await,
        Choice::FirstToken => Box::pin(first_token::run(rig, outcome)).await,
        Choice::Append => Box::pin(append::run(rig, outcome)).await,
        Choice::Readers => Box::pin(readers::run(rig, outcome)).await,
        Choice::Sandbox => Box::pin(sandbox::run(rig, outcome)).await,
        Choice::Idle => Box::pin(idle::run(rig, outcome)).await,
        Choice::ModelPath => Box::pin(model_path::run(rig, outcome)).await,
        Choice::Kills => Box::pin(kills::run(rig, outcome)).await,
    }
}
