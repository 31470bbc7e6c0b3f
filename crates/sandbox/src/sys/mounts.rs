//! `mount_setattr`, which makes a tree of mounts read-only in one step, and shifts owners.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

pub(crate) const READ_ONLY: u64 = libc::MOUNT_ATTR_RDONLY;
pub(crate) const NO_SUID: u64 = libc::MOUNT_ATTR_NOSUID;
pub(crate) const NO_DEVICES: u64 = libc::MOUNT_ATTR_NODEV;
pub(crate) const NO_EXEC: u64 = libc::MOUNT_ATTR_NOEXEC;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    ThisMount,
    WholeTree,
}

/// Adds `attributes` to the mount that `mount` is the root of.
pub(crate) fn add_attributes(
    mount: BorrowedFd<'_>,
    attributes: u64,
    depth: Depth,
) -> io::Result<()> {
    let change = libc::mount_attr {
        attr_set: attributes,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    let recursive = match depth {
        Depth::ThisMount => 0,
        Depth::WholeTree => libc::AT_RECURSIVE,
    };
    change_attributes(mount, change, recursive)
}

/// Shows the files of `mount`, a detached one, with owners that are mapped by the user namespace
/// `ids`, and adds `attributes`. See the invariant in `launcher/mounts.rs` before using it.
pub(crate) fn shift_owners(
    mount: BorrowedFd<'_>,
    ids: BorrowedFd<'_>,
    attributes: u64,
) -> io::Result<()> {
    let change = libc::mount_attr {
        attr_set: attributes | libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: ids.as_raw_fd() as u64,
    };
    change_attributes(mount, change, 0)
}

fn change_attributes(
    mount: BorrowedFd<'_>,
    change: libc::mount_attr,
    recursive: libc::c_int,
) -> io::Result<()> {
    // SAFETY: the path is a NUL-terminated constant, the structure lives through the call and
    // the size is its own.
    let result = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const change,
            size_of::<libc::mount_attr>(),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
