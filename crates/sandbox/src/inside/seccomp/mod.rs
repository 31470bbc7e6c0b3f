//! The system call filter: a list of what is allowed, and nothing else.
//!
//! Two filters, of which the kernel takes the stricter answer and, between two refusals, that
//! of the one installed last. The first allows the list and answers EPERM to the rest. The
//! second answers ENOSYS to what is to look as if this kernel did not have it: numbers newer
//! than the list and foreign tables of numbers, so that programs fall back as they do on an
//! older kernel, and `clone3`, so that the C library uses `clone`, whose flags a filter can
//! see.

mod allowed;
mod arguments;
mod numbers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompFilter, SeccompRule, TargetArch, apply_filter, sock_filter,
};

use crate::launcher::order::{At, Refused};

#[cfg(target_arch = "x86_64")]
const ARCHITECTURE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE: TargetArch = TargetArch::aarch64;
/// The same as the kernel calls it.
#[cfg(target_arch = "x86_64")]
const ARCHITECTURE_NUMBER: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const ARCHITECTURE_NUMBER: u32 = 0xc000_00b7;

const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const ANSWER: u16 = 0x06;

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = Result<T, seccompiler::BackendError>;

/// Which sockets may be made.
#[derive(Debug, Clone, Copy)]
enum Sockets {
    Internet,
    /// None but those between processes, where nothing else keeps programs from whatever network
    /// there is.
    Local,
}

/// Both, ready to be installed.
pub(crate) struct Filters {
    allowed: BpfProgram,
    absent: BpfProgram,
}

impl Filters {
    pub(crate) fn compile() -> Result<Self, Refused> {
        Self::compile_for(Sockets::Internet)
    }

    pub(crate) fn compile_without_internet() -> Result<Self, Refused> {
        Self::compile_for(Sockets::Local)
    }

    fn compile_for(sockets: Sockets) -> Result<Self, Refused> {
        Ok(Self {
            allowed: allow_list(sockets).at("compile the system call filter")?,
            absent: absences(),
        })
    }

    /// From here on they hold for this thread and all that it starts.
    pub(crate) fn restrict(&self) -> Result<(), Refused> {
        apply(&self.allowed)?;
        apply(&self.absent)
    }
}

fn apply(program: &BpfProgram) -> Result<(), Refused> {
    apply_filter(program)
        .map_err(std::io::Error::other)
        .at("install the system call filter")
}

/// A process of another architecture is killed by what seccompiler puts in front.
fn allow_list(sockets: Sockets) -> std::io::Result<BpfProgram> {
    let mut rules = Rules::new();
    arguments::add(&mut rules, sockets).map_err(std::io::Error::other)?;
    let open: Vec<u32> = rules.keys().map(|number| *number as u32).collect();
    let allowed = allowed::EVERYWHERE.iter().chain(allowed::HERE);
    let allowed: Vec<u32> = allowed.map(|number| *number as u32).collect();
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let arguments: Built<BpfProgram> =
        SeccompFilter::new(rules, refuse.clone(), SeccompAction::Allow, ARCHITECTURE)
            .and_then(TryInto::try_into);
    let arguments = arguments.map_err(std::io::Error::other)?;
    numbers::before(
        arguments,
        ARCHITECTURE_NUMBER,
        &allowed,
        &open,
        refuse.into(),
    )
}

/// By number alone, and by order: seccompiler compares for equality only. On x86-64 the
/// numbers of the x32 table are above all others.
fn absences() -> BpfProgram {
    let step = |code, k, jt, jf| sock_filter { code, jt, jf, k };
    let (unused_first, unused_last) = allowed::UNUSED.into_inner();
    vec![
        step(LOAD, 0, 0, 0),
        step(IF_EQUAL, libc::SYS_clone3 as u32, 4, 0),
        step(IF_AT_LEAST, allowed::FIRST_UNKNOWN, 3, 0),
        step(IF_AT_LEAST, unused_last + 1, 1, 0),
        step(IF_AT_LEAST, unused_first, 1, 0),
        step(ANSWER, libc::SECCOMP_RET_ALLOW, 0, 0),
        step(ANSWER, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32, 0, 0),
    ]
}
