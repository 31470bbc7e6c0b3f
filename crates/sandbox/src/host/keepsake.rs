//! What the host keeps beside a sandbox for whoever runs it: as long as its processes, and out of its sight.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::{SandboxHost, blocking};
use crate::error::SandboxError;
use crate::limits::RECORD_BYTES_MAX;
use crate::name::SandboxName;

const FILE_NAME: &str = "keepsake";

/// It may be secret, so it can't be printed. What it means is its owner's.
#[derive(Clone, PartialEq, Eq)]
pub struct Keepsake(pub String);

impl fmt::Debug for Keepsake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl SandboxHost {
    /// What the sandbox of this name was started with the last time.
    pub async fn keepsake(&self, name: &SandboxName) -> Result<Option<Keepsake>, SandboxError> {
        let file = self.inner()?.state.directory_of(name).join(FILE_NAME);
        Ok(blocking(move || load(&file)).await?)
    }
}

fn load(file: &Path) -> io::Result<Option<Keepsake>> {
    let file = match fs::File::open(file) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(RECORD_BYTES_MAX).read_to_string(&mut text)?;
    Ok(Some(Keepsake(text)))
}

/// Before processes are started: they have this one, or none.
pub(super) fn settle(directory: &Path, keepsake: Option<&Keepsake>) -> io::Result<()> {
    let file = directory.join(FILE_NAME);
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let Some(Keepsake(text)) = keepsake else {
        return Ok(());
    };
    let mut made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&file)?;
    made.write_all(text.as_bytes())
}
