//! The descriptors of a new shell.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where the shell finds its private descriptors. The launcher parks these numbers.
pub(crate) const STATE: i32 = 6;
pub(crate) const OUTPUT: i32 = 7;
pub(crate) const STATUS: i32 = 8;
pub(crate) const COMMANDS: i32 = 9;

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
