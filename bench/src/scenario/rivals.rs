//! P1, P3 and P8 beside servers of others, in the same run and in turns: logs by how many appends they acknowledge,
//! agents by what they add to a turn and how many tool calls they make in a second.
//!
//! They are installed by `bench/rivals/install`; what is not there is left out and named.

mod agents;
mod log;

use crate::outcome::Outcome;
use crate::rig::Rig;

pub(super) async fn run(rig: &Rig<'_>, outcome: &mut Outcome) -> anyhow::Result<()> {
    log::run(rig, outcome).await?;
    agents::run(rig, outcome).await
}
