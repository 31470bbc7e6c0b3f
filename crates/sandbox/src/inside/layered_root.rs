//! A root file system made of layers: shared ones below, one of the sandbox's own on top.
//!
//! What is in a layer was chosen by whoever made the image, symbolic links included. So the
//! process lives in the new root while it is furnished: no name in it leads to the host.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, mkdirat, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags, mount, move_mount, open_tree, unmount,
};

use super::mounts::{make_directory, open_directory, small_tmpfs};
use super::{Lower, OwnLayers, etc_files};
use crate::launcher::order::{At, Refused};
use crate::spec::NetworkAccess;
use crate::sys::mounts::{Depth, NO_DEVICES, NO_SUID, READ_ONLY, add_attributes};

/// Where things of ours are mounted; made where the layers lack them, or have links.
const MOUNT_POINTS: &[&str] = &[
    "proc",
    "dev",
    "tmp",
    "run",
    "root",
    "workspace",
    "mnt/session/outputs",
    "mnt/session/uploads",
];
const SHELL: &str = "bin/bash";

/// The way back to the host's root, which leaves it for good with the change of the root.
#[must_use]
pub(super) struct Furnishing {
    host: OwnedFd,
    new: OwnedFd,
}

/// Mounts the layers and makes them the root and the working directory of this process.
pub(super) fn enter(
    layers: &OwnLayers,
    place: BorrowedFd<'_>,
    network: NetworkAccess,
) -> Result<Furnishing, Refused> {
    let host = open_directory("/")?;
    small_tmpfs(place)?;
    let names = mount_lower(&layers.lower)?;
    make_directory("new")?;
    let options = format!(
        "lowerdir={},upperdir=/proc/self/fd/{},workdir=/proc/self/fd/{},userxattr",
        names.join(":"),
        layers.upper.as_raw_fd(),
        layers.work.as_raw_fd(),
    );
    let step = "mount the layers of the root";
    let options = std::ffi::CString::new(options)
        .map_err(io::Error::from)
        .at(step)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount("overlay", "new", "overlay", flags, Some(options.as_c_str())).at(step)?;
    // The overlay has its own hold of them; nobody needs to reach them by name again.
    for name in &names {
        unmount(name.as_str(), UnmountFlags::DETACH).at("hide the layers")?;
    }
    let new = open_directory("new")?;
    rustix::process::fchdir(&new).at("enter the layers")?;
    rustix::process::chroot(".").at("enter the layers")?;
    for path in MOUNT_POINTS {
        make_real_directory(path)?;
    }
    etc_files::complete(network)?;
    if !Path::new(SHELL).exists() {
        return Err(io::Error::from(io::ErrorKind::NotFound)).at(
            "find /bin/bash, which the bash tool needs, in the root file system of this sandbox",
        );
    }
    Ok(Furnishing { host, new })
}

/// A directory that no link leads to. What a layer has at its place is hidden if it is a link,
/// also on the way there: what is mounted through one may end up below another mount, where what
/// is to be locked would not be found.
fn make_real_directory(path: &str) -> Result<(), Refused> {
    let step = format!("make /{path}");
    let mut here = open_directory(".")?;
    for name in path.split('/') {
        let mode = Mode::from_raw_mode(0o755);
        match mkdirat(&here, name, mode) {
            Err(Errno::EXIST) => {
                let found = statat(&here, name, AtFlags::SYMLINK_NOFOLLOW).at(&step)?;
                if FileType::from_raw_mode(found.st_mode) == FileType::Symlink {
                    unlinkat(&here, name, AtFlags::empty()).at(&step)?;
                    mkdirat(&here, name, mode).at(&step)?;
                }
            }
            made => made.at(&step)?,
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        here = openat(&here, name, flags, Mode::empty()).at(&step)?;
    }
    Ok(())
}

/// The names of the mounted layers, the topmost first, as an overlay wants them.
fn mount_lower(lower: &Lower) -> Result<Vec<String>, Refused> {
    let (layers, made_by_launcher) = match lower {
        Lower::Mounts(layers) => (layers, true),
        Lower::Directories(layers) => (layers, false),
    };
    let mut names = Vec::new();
    for (number, layer) in layers.iter().enumerate() {
        let name = format!("layers/{number}");
        let step = format!("mount layer {number}");
        make_directory(&name)?;
        if made_by_launcher {
            attach(layer.as_fd(), &name).at(&step)?;
        } else {
            let flags = OpenTreeFlags::OPEN_TREE_CLONE
                | OpenTreeFlags::OPEN_TREE_CLOEXEC
                | OpenTreeFlags::AT_EMPTY_PATH;
            let tree = open_tree(layer, "", flags).at(&step)?;
            let attributes = READ_ONLY | NO_SUID | NO_DEVICES;
            add_attributes(tree.as_fd(), attributes, Depth::ThisMount).at(&step)?;
            attach(tree.as_fd(), &name).at(&step)?;
        }
        names.push(name);
    }
    names.reverse();
    Ok(names)
}

fn attach(tree: BorrowedFd<'_>, name: &str) -> rustix::io::Result<()> {
    move_mount(tree, "", CWD, name, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

impl Furnishing {
    /// Back to the host's root with the new one as the working directory: the kernel changes
    /// roots only from outside of the new one.
    pub(super) fn go_back_out(self) -> Result<(), Refused> {
        let step = "go back to the host's root";
        rustix::process::fchdir(&self.host).at(step)?;
        rustix::process::chroot(".").at(step)?;
        rustix::process::fchdir(&self.new).at(step)
    }
}
