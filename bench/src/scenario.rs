//! The scenarios, one file each. They take a rig and fill an outcome.

mod append;
mod capacity;
mod first_token;
mod growth;
mod idle;
mod kills;
mod model_path;
mod overload;
mod readers;
mod rivals;
mod sandbox;
mod turn_overhead;

use crate::options::Choice;
use crate::outcome::Outcome;
use crate::rig::Rig;

/// In the order in which they run, with the name of their goal.
pub(crate) const SCENARIOS: [(Choice, &str, &str); 12] = [
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
    (
        Choice::Capacity,
        "tool calls in a second, and many sessions at once",
        "P8",
    ),
    (Choice::Growth, "costs against what is stored", "P9"),
    (
        Choice::Rivals,
        "other servers in the same run",
        "P1, P3, P8",
    ),
    (Choice::Kills, "killed under load", "R1, R2"),
    (Choice::Overload, "three times what it can take", "R6"),
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
        Choice::Capacity => Box::pin(capacity::run(rig, outcome)).await,
        Choice::Growth => Box::pin(growth::run(rig, outcome)).await,
        Choice::Rivals => Box::pin(rivals::run(rig, outcome)).await,
        Choice::Overload => Box::pin(overload::run(rig, outcome)).await,
        Choice::Kills => Box::pin(kills::run(rig, outcome)).await,
    }
}
