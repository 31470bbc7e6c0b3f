//! The first container of a pod, which ends when it has prepared the volumes for the others.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::container::PROGRAM_DIRECTORY;
use crate::host::{INSIDE_DIRECTORIES, make_directory, prepare_program};
use crate::pod::{BOX_DIRECTORY, MEMORY};

/// The image of the sandbox has neither our program nor the libraries that it needs.
pub(super) fn install() -> io::Result<()> {
    prepare_program(Path::new("/proc/self/exe"), Path::new(PROGRAM_DIRECTORY))?;
    let place = Path::new(BOX_DIRECTORY);
    for name in INSIDE_DIRECTORIES.iter().chain([&MEMORY]) {
        make_directory(&place.join(name), 0o755)?;
    }
    // Of the volume itself nobody but the keeper sees anything, and nobody else needs to.
    std::fs::set_permissions(place.join(MEMORY), std::fs::Permissions::from_mode(0o700))
}
