//! Links in the new root, to uploads that were asked for at a path of their own.

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2, symlinkat};

use crate::launcher::order::{At, Refused};
use crate::upload_link::UploadLink;

const UPLOADS: &str = "/mnt/session/uploads";

/// Makes them below the working directory, which becomes the root. Where something is already, it
/// stays: the upload is at its place below the uploads in any case.
///
/// The parent is found without following a link: a root that somebody else has filled must not
/// lead this process, which still sees the host, anywhere else.
pub(super) fn add(links: &[UploadLink]) -> Result<(), Refused> {
    for link in links {
        let path = link.path().as_str();
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let Ok(parent) = openat2(CWD, parent, flags, Mode::empty(), resolve) else {
            continue;
        };
        match symlinkat(format!("{UPLOADS}/{path}"), &parent, name) {
            Err(rustix::io::Errno::EXIST) => {}
            made => made.at(&format!("link /{path}"))?,
        }
    }
    Ok(())
}
