//! Signals of the agent, and its end.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The signal that makes the shell's loop drop the rest of a command. It is the last
/// real-time signal, which bash calls RTMAX and nobody's script uses.
const ABORT_COMMAND: libc::c_int = 64;

/// Blocks SIGCHLD in this thread and all that it starts, and gives a descriptor that is
/// readable when one came. Children start with an empty mask again: `Command` sees to that.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: a signal set is plain bytes; it is initialised by sigemptyset before use, and
    // the pointers live through the calls.
    let descriptor = unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        let blocked = libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
        if blocked != 0 {
            return Err(io::Error::from_raw_os_error(blocked));
        }
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if descriptor < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Asks the shell behind `pidfd` to abandon its command.
pub(crate) fn abort_shell_command(pidfd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: takes integers and a null pointer, which means "no further information".
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            ABORT_COMMAND,
            std::ptr::null::<libc::siginfo_t>(),
            0_u32,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Kills everything in the pid namespace but its init. Does nothing unless the caller is that
/// init: anywhere else the same call would reach the whole host.
pub(crate) fn kill_everything_as_init() {
    if std::process::id() == 1 {
        // SAFETY: takes integers only. For pid 1 of a namespace, -1 is that namespace.
        unsafe { libc::kill(-1, libc::SIGKILL) };
    }
}

/// Ends this process and with it all its threads, at once and without destructors.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: takes an integer and does not return.
    unsafe { libc::_exit(status) }
}
