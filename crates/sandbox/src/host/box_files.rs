//! What the host does with the files of a sandbox in an open directory: also at the other end of a
//! connection, where a pod has that directory and its keeper does it.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use super::uploads::{self, Upload};
use super::workspace_link;
use crate::inner_path::InnerPath;

pub(crate) fn keep_uploads(directory: &OwnedFd, wanted: Vec<Upload>) -> io::Result<Vec<Upload>> {
    uploads::keep(directory, wanted)
}

pub(crate) fn begin_upload(directory: &OwnedFd) -> io::Result<OwnedFd> {
    Ok(uploads::begin(directory)?)
}

pub(crate) fn finish_upload(
    directory: &OwnedFd,
    partial: &File,
    upload: &Upload,
) -> io::Result<()> {
    uploads::finish(directory, partial, upload)
}

pub(crate) fn link_in_workspace(directory: &OwnedFd, upload: &InnerPath) -> io::Result<()> {
    workspace_link::link(directory, upload)
}
