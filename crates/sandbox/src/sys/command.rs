//! The descriptors of a new shell.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where the shell finds its private descriptors. The launcher parks these numbers.
pub(crate) const STATE: i32 = 6;
pub(crate) const OUTPUT: i32 = 7;
pub(crate) const STATUS: i32 = 8;
pub(crate) const COMMANDS: i32 = 9;

/// What a command reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandardInput {
    Terminal,
    Pipe,
}

/// Lets the child of `command` be a session of its own with the three pipes and the file for its
/// state in place.
pub(crate) fn give_descriptors(
    command: &mut Command,
    state: BorrowedFd<'_>,
    output: BorrowedFd<'_>,
    status: BorrowedFd<'_>,
    commands: BorrowedFd<'_>,
) {
    let places = [
        (state.as_raw_fd(), STATE),
        (output.as_raw_fd(), OUTPUT),
        (status.as_raw_fd(), STATUS),
        (commands.as_raw_fd(), COMMANDS),
    ];
    let prepare = move || {
        // SAFETY: setsid and dup2 take integers only and are async-signal-safe; this runs
        // between fork and exec, and allocates nothing.
        let done = unsafe {
            libc::setsid();
            places
                .iter()
                .all(|(source, place)| libc::dup2(*source, *place) == *place)
        };
        if done {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: the closure only makes async-signal-safe calls, see above.
    unsafe { command.pre_exec(prepare) };
}

/// Lets the child of `command` be a session of its own, whose terminal is its standard input if that
/// is one that it shall have.
pub(crate) fn lead_session(command: &mut Command, input: StandardInput) {
    let prepare = move || {
        // SAFETY: setsid and this ioctl take integers only and are async-signal-safe; this runs
        // between fork and exec, and allocates nothing.
        let done = unsafe {
            libc::setsid() >= 0
                && match input {
                    StandardInput::Terminal => libc::ioctl(0, libc::TIOCSCTTY, 0) == 0,
                    StandardInput::Pipe => true,
                }
        };
        if done {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: the closure only makes async-signal-safe calls, see above.
    unsafe { command.pre_exec(prepare) };
}

/// Lets the child of `command` enter cgroups through their files, which must stay open until it
/// is started, and lowers its limit of processes.
pub(crate) fn limit_tools(command: &mut Command, cgroups: &[OwnedFd], processes: Option<u64>) {
    let files: Vec<i32> = cgroups.iter().map(AsRawFd::as_raw_fd).collect();
    let prepare = move || {
        let zero = b"0";
        // SAFETY: write and setrlimit are async-signal-safe; the buffer is a constant of one
        // byte and the structure lives through the call. This runs between fork and exec, and
        // allocates nothing.
        let done = unsafe {
            let entered = files
                .iter()
                .all(|file| libc::write(*file, zero.as_ptr().cast(), 1) == 1);
            entered
                && processes.is_none_or(|count| {
                    let limit = libc::rlimit {
                        rlim_cur: count,
                        rlim_max: count,
                    };
                    libc::setrlimit(libc::RLIMIT_NPROC, &raw const limit) == 0
                })
        };
        if done {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: the closure only makes async-signal-safe calls, see above.
    unsafe { command.pre_exec(prepare) };
}
