//! Where a new sandbox finds the files that are its own.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{MoveMountFlags, move_mount};

use crate::disk::MOUNT_POINT;
use crate::launcher::order::{At, FilesIn, Refused};

/// The directory that they are in.
pub(super) struct SandboxFiles(OwnedFd);

/// Puts their file system in its place, if they have one of their own: the first of `mounts`. It
/// goes from there with the host's root; what is bound of it stays.
pub(super) fn enter(files_in: FilesIn, mounts: &mut Vec<OwnedFd>) -> Result<SandboxFiles, Refused> {
    let place = match files_in {
        FilesIn::Directory => ".",
        FilesIn::Image => {
            let step = "mount the sandbox's disk";
            if mounts.is_empty() {
                return Err(std::io::Error::from(std::io::ErrorKind::NotFound)).at(step);
            }
            let disk = mounts.remove(0);
            let from_descriptor = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            move_mount(disk.as_fd(), "", CWD, MOUNT_POINT, from_descriptor).at(step)?;
            MOUNT_POINT
        }
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let files = rustix::fs::openat(CWD, place, flags, Mode::empty());
    Ok(SandboxFiles(files.at("open the sandbox's files")?))
}

impl SandboxFiles {
    pub(super) fn open(&self, name: &str) -> Result<OwnedFd, Refused> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(&self.0, name, flags, Mode::empty());
        opened.at(&format!("open {name}"))
    }
}
