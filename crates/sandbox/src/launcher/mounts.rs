//! The mounts of a new sandbox that only a server that is root can make. They are made out here;
//! the sandbox gets them detached, and nothing else.
//!
//! One is the file system that bounds its disk, if it has one. The others are the layers of its
//! root: on disk a layer's files belong to ids 0 to 65,535 of nobody in particular. For a sandbox
//! with a range of ids, each layer is cloned as a mount that shows them as those of the range.
//!
//! **Invariant:** an idmapped mount becomes the lower part of an overlay and is reachable in no
//! other way. A sandbox root that had CAP_SYS_ADMIN could turn its read-only off.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::order::{At, FilesIn, LaunchOrder, Refused};
use crate::disk;
use crate::isolation::UserNamespace;
use crate::limits::LAYERS_MAX;
use crate::root::Root;
use crate::sys::mounts::{NO_DEVICES, NO_SUID, READ_ONLY, shift_owners};

/// What the word to go on is, so that the end of the launcher is not taken for it.
const GO: &[u8; 2] = b"go";
const MOUNTS_MAX: usize = LAYERS_MAX + 1;

/// The mounts that the child with this pid cannot make itself: that of its files comes first, if
/// they are in an image.
pub(super) fn prepare(
    pid: i32,
    user_namespace: UserNamespace,
    order: &LaunchOrder,
) -> Result<Vec<OwnedFd>, Refused> {
    let mut mounts = match order.files_in {
        FilesIn::Directory => Vec::new(),
        FilesIn::Image => {
            let files = disk::open(".".as_ref()).at("mount the sandbox's disk")?;
            vec![files.into_descriptor()]
        }
    };
    match (user_namespace, &order.spec.root) {
        (UserNamespace::Range { .. }, Root::Layers(layers)) => {
            mounts.extend(shifted(pid, layers)?);
        }
        (UserNamespace::Range { .. }, Root::Host)
        | (UserNamespace::Single | UserNamespace::None, Root::Host | Root::Layers(_)) => {}
    }
    Ok(mounts)
}

fn shifted(pid: i32, layers: &[PathBuf]) -> Result<Vec<OwnedFd>, Refused> {
    let read = OFlags::RDONLY | OFlags::CLOEXEC;
    let ids = rustix::fs::open(format!("/proc/{pid}/ns/user"), read, Mode::empty())
        .at("open the new user namespace")?;
    let clone = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let attributes = READ_ONLY | NO_SUID | NO_DEVICES;
    let layers = layers.iter().map(|layer| {
        let step = format!("clone the layer {}", layer.display());
        let tree = open_tree(CWD, layer, clone).at(&step)?;
        let step = format!("shift the owners of the layer {}", layer.display());
        shift_owners(tree.as_fd(), ids.as_fd(), attributes).at(&step)?;
        Ok(tree)
    });
    layers.collect()
}

/// Lets the child go on, with these descriptors.
pub(super) fn send_go(socket: &OwnedFd, mounts: &[OwnedFd]) -> rustix::io::Result<()> {
    let borrowed: Vec<BorrowedFd<'_>> = mounts.iter().map(AsFd::as_fd).collect();
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOUNTS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !borrowed.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&borrowed)) {
        return Err(rustix::io::Errno::NOBUFS);
    }
    let word = [IoSlice::new(GO)];
    sendmsg(socket, &word, &mut control, SendFlags::NOSIGNAL).map(|_| ())
}

/// The child's side: `None` if the launcher is gone.
pub(crate) fn receive_go(socket: &OwnedFd) -> rustix::io::Result<Option<Vec<OwnedFd>>> {
    let mut word = [0; GO.len()];
    let mut space = vec![MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOUNTS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut buffers = [IoSliceMut::new(&mut word)];
    let heard = recvmsg(socket, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    if heard.bytes == 0 {
        return Ok(None);
    }
    let mut mounts = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(descriptors) = message {
            mounts.extend(descriptors);
        }
    }
    Ok(Some(mounts))
}
