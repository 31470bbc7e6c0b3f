//! A fork into new namespaces, with a pidfd of the child.
//!
//! Only for the launcher, which has one thread: the child goes on in a copy of it, and
//! locks that another thread held would stay locked there for ever.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The namespaces of an isolated sandbox.
pub(crate) const ALL_NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWNET) as u64;

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

pub(crate) enum Cloned {
    Child,
    Parent(Child),
}

pub(crate) struct Child {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    /// Whether it was born in the cgroup that was asked for.
    pub(crate) in_cgroup: bool,
}

/// Forks into the namespaces of `flags`. Where a filter of an older container runtime hides
/// `clone3`, plain `clone` does the same without the cgroup.
pub(crate) fn clone_process(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let first = clone3(flags, cgroup);
    match first {
        Err(error) if cgroup.is_some() && error.raw_os_error() != Some(libc::ENOSYS) => {
            clone3(flags, None)
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => plain_clone(flags),
        other => other,
    }
}

fn clone3(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> io::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: `clone_args` is plain integers, for which zero is valid and means "not used".
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = flags | libc::CLONE_PIDFD as u64;
    arguments.pidfd = &raw mut pidfd as u64;
    arguments.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = cgroup.as_raw_fd() as u64;
    }
    // SAFETY: without CLONE_VM the child has its own copy of memory and this stack, as after
    // fork; the structure and the pidfd it points at outlive the call; the size is its own.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of::<libc::clone_args>(),
        )
    };
    cloned(pid, pidfd, cgroup.is_some())
}

fn plain_clone(flags: u64) -> io::Result<Cloned> {
    let mut pidfd: libc::c_int = -1;
    let flags = flags | libc::CLONE_PIDFD as u64 | libc::SIGCHLD as u64;
    // SAFETY: no CLONE_VM and a null stack, so it is a fork; the third argument is where the
    // pidfd is put on both supported architectures, and it outlives the call.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone,
            flags,
            0_usize,
            &raw mut pidfd,
            0_usize,
            0_usize,
        )
    };
    cloned(pid, pidfd, false)
}

fn cloned(pid: libc::c_long, pidfd: libc::c_int, in_cgroup: bool) -> io::Result<Cloned> {
    match pid {
        0 => Ok(Cloned::Child),
        pid if pid > 0 => {
            // SAFETY: the kernel has just made this descriptor for us and nobody else has it.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Cloned::Parent(Child {
                pid: pid as i32,
                pidfd,
                in_cgroup,
            }))
        }
        _ => Err(io::Error::last_os_error()),
    }
}
