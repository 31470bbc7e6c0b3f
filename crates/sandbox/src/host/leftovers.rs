//! Removes what servers that were killed have left: the pooled sandboxes, which nobody has claimed, and
//! the cgroups of sandboxes whose processes are gone.

use std::collections::HashSet;

use super::pool::is_label;
use super::state_dir::StateDir;
use super::{Inner, SandboxHost, blocking};
use crate::error::SandboxError;
use crate::launcher::cgroup::{names_with_prefix, remove_abandoned};
use crate::launcher::record::ProcessRecord;
use crate::name::SandboxName;

impl SandboxHost {
    /// Removes the empty cgroups of state directories on this machine that were deleted, and says how
    /// many. Those of directories that are there are left to their servers.
    pub async fn remove_abandoned_cgroups(&self) -> Result<usize, SandboxError> {
        Ok(blocking(remove_abandoned).await?)
    }
}

/// What cannot be removed is said, and no reason not to start.
pub(super) async fn reap(inner: &Inner) {
    let prefix = inner.state.cgroup_prefix();
    let names = blocking(move || {
        let unique_names = names_with_prefix(&prefix);
        let names = unique_names.iter().filter_map(|unique_name| {
            let name = unique_name.strip_prefix(&prefix)?;
            name.parse::<SandboxName>().ok()
        });
        Ok(names.collect::<Vec<_>>())
    });
    let names = names.await.unwrap_or_default();
    if let Err(error) = inner.reap_pool(&names).await {
        tracing::warn!(%error, "what is left of the pool cannot be ended");
    }
    let claimed = match names.iter().any(is_label) {
        true => of_the_claimed(&inner.state),
        false => HashSet::new(),
    };
    for name in names {
        let directory = inner.state.directory_of(&name);
        let unique_name = inner.state.cgroup_name(&name);
        if claimed.contains(&unique_name) || inner.processes.seem_alive(&directory) {
            continue;
        }
        if let Err(error) = inner.processes.end(&directory, &unique_name).await {
            tracing::warn!(sandbox = %name, %error, "what is left of a sandbox cannot be ended");
        }
    }
}

/// The names of cgroups that living sandboxes have on record: those of a sandbox that was claimed from the
/// pool bear its label.
fn of_the_claimed(state: &StateDir) -> HashSet<String> {
    let mut found = HashSet::new();
    for name in state.names().unwrap_or_default() {
        let record = ProcessRecord::load(&state.directory_of(&name));
        let Ok(Some(record)) = record else { continue };
        if record.living_process().is_none() {
            continue;
        }
        let cgroups = record.cgroups.iter().filter_map(|path| path.file_name());
        found.extend(cgroups.filter_map(|name| Some(name.to_str()?.to_owned())));
    }
    found
}
