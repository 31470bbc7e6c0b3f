//! Links in a sandbox's workspace, to uploads that were asked for at a path in it.
//!
//! Commands write there while this does, so each directory is opened beneath the one before it.
//! Whatever stands in the way already stays: the upload is at its place in any case.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Mode, OFlags, chownat, fchown, fstat, mkdirat, symlinkat};
use rustix::fs::{Gid, Uid};
use rustix::io::Errno;

use super::beneath;
use super::blocking;
use super::disks::open_files;
use super::sandbox::Sandbox;
use crate::error::SandboxError;
use crate::inner_path::InnerPath;

const WORKSPACE: &str = "workspace";

/// The workspace of the sandbox with these files, which its commands write in.
pub(super) fn open_workspace(files: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(files, WORKSPACE, flags, Mode::empty())
}

impl Sandbox {
    /// Makes the path of an upload good as it is, if it is one in the workspace. Only where the
    /// sandbox sees its uploads at `/mnt/session/uploads`.
    pub async fn link_in_workspace(&self, upload: InnerPath) -> Result<(), SandboxError> {
        if let Some(pod) = self.pod()? {
            return Ok(pod.link_in_workspace(upload).await?);
        }
        let path = self.path()?.to_owned();
        Ok(blocking(move || link(&open_files(&path)?, &upload)).await?)
    }

    /// The same where nothing is mounted for the sandbox: the link leads to where the upload is on the
    /// host.
    pub async fn link_on_host(&self, upload: InnerPath) -> Result<(), SandboxError> {
        let path = self.path()?.to_owned();
        let linked = blocking(move || {
            let uploads = path.join("uploads");
            link_to(&open_files(&path)?, &uploads, &upload)
        });
        Ok(linked.await?)
    }
}

pub(super) fn link(files: &OwnedFd, upload: &InnerPath) -> io::Result<()> {
    link_to(files, Path::new("/mnt/session/uploads"), upload)
}

fn link_to(files: &OwnedFd, uploads: &Path, upload: &InnerPath) -> io::Result<()> {
    let mut names = upload.as_str().split('/');
    if names.next() != Some(WORKSPACE) {
        return Ok(());
    }
    let mut place = open_workspace(files)?;
    let Some(mut name) = names.next() else {
        return Ok(());
    };
    for next in names {
        match enter(&place, name) {
            Ok(inner) => place = inner,
            Err(Errno::LOOP | Errno::NOTDIR | Errno::ACCESS | Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        name = next;
    }
    match symlinkat(uploads.join(upload.as_str()), &place, name) {
        Ok(()) => {}
        Err(Errno::EXIST | Errno::ACCESS) => return Ok(()),
        Err(error) => return Err(error.into()),
    }
    // What lies in a workspace belongs to its owner: an archive of it takes nothing of anybody else.
    let owner = fstat(&place)?;
    let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
    match chownat(
        &place,
        name,
        Some(uid),
        Some(gid),
        AtFlags::SYMLINK_NOFOLLOW,
    ) {
        // Commands inside may have taken it away by now.
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Opens a directory, or makes it for the workspace's owner.
pub(super) fn enter(parent: &OwnedFd, name: &str) -> Result<OwnedFd, Errno> {
    match beneath::open_directory(parent, name) {
        Err(Errno::NOENT) => {}
        opened => return opened,
    }
    match mkdirat(parent, name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error),
    }
    let made = beneath::open_directory(parent, name)?;
    let owner = fstat(parent)?;
    // What stands here by now is the sandbox's own in any case, whoever has swapped it.
    let (uid, gid) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
    fchown(&made, Some(uid), Some(gid))?;
    Ok(made)
}
