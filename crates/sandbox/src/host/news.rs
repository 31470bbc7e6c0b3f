//! What nobody was told yet: that the processes of a sandbox are not those of before.
//!
//! Whoever makes a sandbox ahead of its first call has nobody to tell. So the news are a file in
//! the sandbox's directory, out of reach from inside, until somebody opens it to use it.

use std::fs;
use std::io;
use std::path::Path;

const FILE_NAME: &str = "replaced";

/// Leaves the news for whoever opens the sandbox next.
pub(super) fn leave(directory: &Path) -> io::Result<()> {
    fs::write(directory.join(FILE_NAME), "")
}

/// Takes the news, if there are any.
pub(super) fn take(directory: &Path) -> io::Result<bool> {
    match fs::remove_file(directory.join(FILE_NAME)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
