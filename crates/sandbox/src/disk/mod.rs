//! What bounds the disk of a whole sandbox: a file system of its own, in a file of a fixed size.
//!
//! ```text
//! boxes/<name>/disk.img       an ext4 file system; its holes take no room
//! boxes/<name>/disk.device    the loop device that it was behind last, a hint
//! boxes/<name>/disk/          empty; the sandbox mounts it there, in its own namespace only
//! ```
//!
//! It is mounted without a place in the host's table of mounts. Whoever needs it has a descriptor,
//! and when the last of those and the sandbox's own mount are gone, so are the mount and the
//! device: the kernel cleans up, whoever was killed at whichever step.
//!
//! **Invariant:** an image is behind one loop device at most, since two would destroy it. What
//! sees to that is a lock on the file which the device itself holds for as long as it has it.

mod device;
mod mounted;
mod template;

use std::path::Path;

pub(crate) use self::mounted::{DiskFiles, attached, open};
pub(crate) use self::template::{Template, files_at_rest, was_written};

/// How the disk of a sandbox is to be bounded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DiskChoice {
    /// By an image where this host can make one, else per file.
    #[default]
    Auto,
    /// By an image, or not at all: the host refuses to start.
    Image,
    /// No single file may be larger than the bound; their number is not bounded.
    PerFile,
}

/// In the directory of a sandbox.
pub(crate) const IMAGE_FILE: &str = "disk.img";
pub(crate) const MOUNT_POINT: &str = "disk";
const DEVICE_FILE: &str = "disk.device";

/// Whether the sandbox in `directory` has its files in an image.
pub(crate) fn has_image(directory: &Path) -> bool {
    std::fs::symlink_metadata(directory.join(IMAGE_FILE)).is_ok_and(|found| found.is_file())
}
