//! Makes the server's v2 cgroup hand its controllers to sandboxes.
//!
//! A cgroup that does so may not hold processes, so the server moves into a leaf of its own. It
//! does that only where the cgroup was given to it: where it is alone in it and, under systemd,
//! where the unit says `Delegate=yes`. Nothing here is required: without it, there is v1, or
//! rlimits, and the report says so.

use std::fs;
use std::path::Path;

use super::places::{SANDBOXES, SERVER, base, own_v2};

const CONTROLLERS: &[&str] = &["memory", "pids", "cpu", "io"];

/// What became of the server's v2 cgroup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CgroupClaim {
    /// Sandboxes get these controllers.
    Delegated { controllers: Vec<String> },
    /// It was left as it is.
    Left { reason: String },
}

/// Call it once, before sandboxes are made, in a process that does nothing but serve.
pub fn claim_cgroup() -> CgroupClaim {
    match claim() {
        Ok(controllers) => CgroupClaim::Delegated { controllers },
        Err(reason) => CgroupClaim::Left { reason },
    }
}

fn claim() -> Result<Vec<String>, String> {
    let own = own_v2().ok_or("this host has no cgroup v2")?;
    let base = base(&own);
    let offered = fs::read_to_string(base.join("cgroup.controllers")).unwrap_or_default();
    let wanted = CONTROLLERS
        .iter()
        .filter(|name| offered.split_whitespace().any(|offer| offer == **name));
    let wanted: Vec<&str> = wanted.copied().collect();
    if wanted.is_empty() {
        return Err(format!("{} has no controllers to give", base.display()));
    }
    // The root of the real tree is no ordinary cgroup: it may hold processes all the same.
    let is_tree_root = !base.join("cgroup.events").exists();
    if own == base && !is_tree_root {
        step_aside(&own)?;
    }
    let sandboxes = base.join(SANDBOXES);
    match fs::create_dir(&sandboxes) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(format!("{} cannot be made: {error}", sandboxes.display()));
        }
        _ => {}
    }
    let given: Vec<String> = wanted
        .into_iter()
        .filter(|name| hand_down(base, name) && hand_down(&sandboxes, name))
        .map(str::to_owned)
        .collect();
    if given.is_empty() {
        // Empty, it would only keep sandboxes from where they were before.
        let _ = fs::remove_dir(&sandboxes);
        return Err(format!("{} hands no controller down", base.display()));
    }
    Ok(given)
}

fn hand_down(cgroup: &Path, controller: &str) -> bool {
    fs::write(
        cgroup.join("cgroup.subtree_control"),
        format!("+{controller}"),
    )
    .is_ok()
}

fn step_aside(own: &Path) -> Result<(), String> {
    let inhabitants = fs::read_to_string(own.join("cgroup.procs"))
        .map_err(|error| format!("{} cannot be read: {error}", own.display()))?;
    let us = std::process::id().to_string();
    if inhabitants.lines().any(|pid| pid != us) {
        return Err(format!(
            "other processes are in {} as well; start the server as a systemd service with \
             Delegate=yes",
            own.display()
        ));
    }
    let unit = own.file_name().unwrap_or_default().to_string_lossy();
    let is_unit = unit.ends_with(".service") || unit.ends_with(".scope");
    if is_unit && !is_delegated(own) {
        return Err(format!(
            "systemd keeps {unit} for itself; add Delegate=yes and \
             DelegateSubgroup={SERVER} to it"
        ));
    }
    let leaf = own.join(SERVER);
    match fs::create_dir(&leaf) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(format!("{} cannot be made: {error}", leaf.display()));
        }
        _ => {}
    }
    fs::write(leaf.join("cgroup.procs"), us)
        .map_err(|error| format!("{} cannot be entered: {error}", leaf.display()))
}

/// The mark that systemd leaves on what it gave away.
fn is_delegated(cgroup: &Path) -> bool {
    ["user.delegate", "trusted.delegate"].iter().any(|name| {
        let mut value = [0; 1];
        rustix::fs::getxattr(cgroup, *name, &mut value[..]).is_ok_and(|_| value == *b"1")
    })
}
