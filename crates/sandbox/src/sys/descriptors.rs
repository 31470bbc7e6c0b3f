//! Which file descriptors exist, and at which numbers.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::command::{COMMANDS, OUTPUT, STATE, STATUS};

/// Above the numbers of standard streams and of a shell.
pub(crate) const FIRST_FREE: i32 = 10;

/// Closes every descriptor from 3 on. Called first of all in the zygote, when nothing of
/// this process has opened one yet: what is there came from outside.
pub(crate) fn close_inherited() -> io::Result<()> {
    // SAFETY: takes integers only. No object of this process owns a descriptor above 2 yet.
    let result = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Occupies the numbers that a shell gets its descriptors at with `/dev/null`, so that nothing this
/// process opens later, nor a pipe of `Command`, lies where a child puts those pipes.
pub(crate) fn park_shell_descriptors() -> io::Result<()> {
    let null = std::fs::File::open("/dev/null")?;
    for number in [STATE, OUTPUT, STATUS, COMMANDS] {
        // SAFETY: takes integers only. Called when no object of ours owns these numbers.
        let placed = unsafe { libc::dup3(null.as_raw_fd(), number, libc::O_CLOEXEC) };
        if placed != number {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Points standard input, output and error at `target`.
pub(crate) fn replace_standard_streams(target: BorrowedFd<'_>) -> io::Result<()> {
    for number in 0..3 {
        // SAFETY: takes integers only; 0 to 2 are never owned by an object of ours.
        if unsafe { libc::dup2(target.as_raw_fd(), number) } != number {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
