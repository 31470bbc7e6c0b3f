//! Gives up what the first process does not need any more: limits, capabilities, and the
//! chance to ever gain something by exec.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::launcher::order::{At, Refused};
use crate::limits::{AGENT_PROCESSES_MAX, Limits};

/// What installing, unpacking and ending one's own processes take, within the user
/// namespace. Nothing that mounts, configures, traces or makes device files.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID);

/// Limits are only ever lowered: a server without CAP_SYS_RESOURCE cannot raise them.
pub(super) fn lower_limits(limits: &Limits, memory: bool) -> Result<(), Refused> {
    let mut wanted = vec![
        // One byte and not zero: with zero the kernel still feeds a core to a piped handler,
        // which runs on the host.
        (Resource::Core, 1),
        (Resource::Nofile, limits.open_files),
        // The shell gets the rest of it.
        (
            Resource::Nproc,
            u64::from(limits.processes) + AGENT_PROCESSES_MAX,
        ),
        (Resource::Memlock, 1 << 20),
        (Resource::Msgqueue, 1 << 16),
        // Some hosts let users of sound or graphics go before everybody else.
        (Resource::Rtprio, 0),
        (Resource::Nice, 0),
    ];
    if memory {
        // Not the address space: programs reserve far more of that than they use.
        wanted.push((Resource::Data, limits.memory_bytes));
    }
    if let Some(bytes) = limits.disk_bytes {
        wanted.push((Resource::Fsize, bytes));
    }
    lower(&wanted)
}

/// Never raises one: a limit that is lower already stays.
pub(super) fn lower(wanted: &[(Resource, u64)]) -> Result<(), Refused> {
    for (resource, value) in wanted.iter().copied() {
        let value = getrlimit(resource)
            .maximum
            .map_or(value, |hard| hard.min(value));
        let limit = Rlimit {
            current: Some(value),
            maximum: Some(value),
        };
        setrlimit(resource, limit).at("lower a resource limit")?;
    }
    Ok(())
}

pub(super) fn drop_capabilities() -> Result<(), Refused> {
    let step = "drop capabilities";
    for number in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << number);
        if KEPT.contains(capability) {
            continue;
        }
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel knows no capability of this number, nor any above it.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error).at(step),
        }
    }
    rustix::thread::clear_ambient_capability_set().at(step)?;
    let sets = CapabilitySets {
        effective: KEPT,
        permitted: KEPT,
        inheritable: CapabilitySet::empty(),
    };
    rustix::thread::set_capabilities(None, sets).at(step)?;
    forbid_new()
}

/// Nothing is gained by exec from here on.
pub(super) fn forbid_new() -> Result<(), Refused> {
    rustix::thread::set_no_new_privs(true).at("forbid new privileges")?;
    // Nobody inside may trace this process or look at its memory, files and environment.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable).at("hide the agent")
}
