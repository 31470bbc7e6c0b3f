//! Which network a socket belongs to.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Not in the C library's crate yet. The same on both architectures.
const SO_NETNS_COOKIE: libc::c_int = 71;

/// A number that names the network namespace of a socket, and that no other one ever has.
pub(crate) fn network_cookie(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = size_of::<u64>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to `cookie`; both live through the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(cookie)
    } else {
        Err(io::Error::last_os_error())
    }
}
