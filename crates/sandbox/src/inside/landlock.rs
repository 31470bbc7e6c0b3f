//! Landlock, as a layer of its own where the kernel has it.
//!
//! The mounts already decide which files exist, so all of them are allowed here. What it adds:
//! no process inside can mount, signal or trace anything outside, nor reach an abstract
//! socket, even if a namespace were to leak. Absence is reported, not an error.

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, LandlockStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};

/// The newest rules that we know; the kernel takes those of them that it knows.
const NEWEST: ABI = ABI::V6;

/// The kernel's ABI if the rules are in force.
pub(super) fn restrict() -> Option<u32> {
    let status = apply().ok()?;
    let enforced = status.ruleset != RulesetStatus::NotEnforced;
    match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if enforced => Some(effective_abi as u32),
        LandlockStatus::Available { .. }
        | LandlockStatus::NotEnabled
        | LandlockStatus::NotImplemented => None,
    }
}

fn apply() -> Result<landlock::RestrictionStatus, RulesetError> {
    let everything = AccessFs::from_all(NEWEST);
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(everything)?
        .scope(Scope::AbstractUnixSocket | Scope::Signal)?
        .create()?
        .add_rules(path_beneath_rules(["/"], everything))?
        .restrict_self()
}
