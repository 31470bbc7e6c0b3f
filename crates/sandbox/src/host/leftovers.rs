//! Removes the cgroups of sandboxes whose processes are gone: of creations that were cut short,
//! and of servers that were killed.

use super::processes::Processes;
use super::state_dir::StateDir;
use crate::launcher::cgroup::names_with_prefix;
use crate::name::SandboxName;

/// What cannot be removed is said, and no reason not to start.
pub(super) async fn reap(state: &StateDir, processes: &Processes) {
    let prefix = state.cgroup_prefix();
    let names = tokio::task::spawn_blocking({
        let prefix = prefix.clone();
        move || names_with_prefix(&prefix)
    });
    for unique_name in names.await.unwrap_or_default() {
        let name = unique_name.strip_prefix(&prefix).map(str::parse);
        let Some(Ok::<SandboxName, _>(name)) = name else {
            continue;
        };
        let directory = state.directory_of(&name);
        if processes.seem_alive(&directory) {
            continue;
        }
        if let Err(error) = processes.end(&directory, &unique_name).await {
            tracing::warn!(sandbox = %name, %error, "what is left of a sandbox cannot be ended");
        }
    }
}
