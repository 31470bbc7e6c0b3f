//! The system calls that no safe crate wraps, each behind a safe function.
//!
//! All `unsafe` of the crate is in this folder. Whatever rustix offers is called from
//! where it is needed and has no place here.
#![expect(
    unsafe_code,
    reason = "raw clone, mount_setattr, loop devices, signalfd, some socket options and pre_exec have no safe form"
)]

pub(crate) mod clone;
pub(crate) mod command;
pub(crate) mod descriptors;
pub(crate) mod loops;
pub(crate) mod mounts;
pub(crate) mod process;
pub(crate) mod sockets;
pub(crate) mod watch;
