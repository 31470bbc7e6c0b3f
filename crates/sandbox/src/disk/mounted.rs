//! The files of a sandbox that has an image, as a mount that nobody sees.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag,
    fsconfig_set_string, fsmount, fsopen,
};

use super::device::{Device, that_has_image, with_image};
use crate::sys::loops::shut_down_file_system;

/// The top of the file system in an image. It stays mounted as long as this exists.
pub(crate) struct DiskFiles(OwnedFd);

/// Mounts the image of `directory`, or what is mounted of it already once more, which is quick.
pub(crate) fn open(directory: &Path) -> io::Result<DiskFiles> {
    mount(&with_image(directory)?)
}

/// The same if it is in use by anybody; an image at rest stays at rest.
pub(crate) fn attached(directory: &Path) -> io::Result<Option<DiskFiles>> {
    that_has_image(directory)?
        .map(|device| mount(&device))
        .transpose()
}

/// The options count for whoever is the first, and are always the same. The journal is replayed
/// after a crash of the machine; what is deleted inside gives back its room outside.
fn mount(device: &Device) -> io::Result<DiskFiles> {
    let context = fsopen("ext4", FsOpenFlags::FSOPEN_CLOEXEC)?;
    let context = context.as_fd();
    fsconfig_set_string(context, "source", &device.path)?;
    fsconfig_set_string(context, "errors", "remount-ro")?;
    fsconfig_set_flag(context, "discard")?;
    fsconfig_create(context)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let mount = fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    Ok(DiskFiles(mount))
}

impl DiskFiles {
    /// Drops what was not written yet, for files that nobody wants any more: to write it first
    /// could take minutes.
    pub(crate) fn abandon(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = openat(&self.0, ".", flags, Mode::empty())?;
        shut_down_file_system(top.as_fd())
    }

    pub(crate) fn into_descriptor(self) -> OwnedFd {
        self.0
    }
}

impl AsFd for DiskFiles {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
