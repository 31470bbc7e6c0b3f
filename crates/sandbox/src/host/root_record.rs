//! Which root file system a sandbox was made with.
//!
//! What a sandbox wrote lies over certain layers and means nothing over others. So it keeps its
//! root, whatever is asked for later, and one whose layers are gone is not opened.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use crate::error::SandboxError;
use crate::isolation::Mode;
use crate::limits::RECORD_BYTES_MAX;
use crate::packages::Packages;
use crate::root::Root;
use crate::spec::Spec;

const FILE_NAME: &str = "root.json";

/// What to make the sandbox in `directory` with: its root is the one on record, or else the one
/// that is asked for, which is recorded.
pub(super) fn settle(directory: &Path, mode: Mode, wanted: &Spec) -> Result<Spec, SandboxError> {
    let refused = |reason| SandboxError::Unavailable { reason };
    wanted.root.check().map_err(refused)?;
    match mode {
        Mode::Isolated => {}
        Mode::UnsafeProcess | Mode::Container
            if wanted.root == Root::Host && wanted.packages == Packages::None =>
        {
            return Ok(wanted.clone());
        }
        Mode::UnsafeProcess => {
            return Err(refused(
                "an unsafe process runs the programs of the host: it has neither a root file system \
                 nor packages of its own"
                    .to_owned(),
            ));
        }
        Mode::Container => {
            return Err(refused(
                "a container has the root file system of its image and no other".to_owned(),
            ));
        }
    }
    let root = match load(directory)? {
        Some(recorded) => recorded,
        None => {
            save(directory, &wanted.root)?;
            wanted.root.clone()
        }
    };
    for layer in root.layers() {
        if !fs::symlink_metadata(layer).is_ok_and(|found| found.is_dir()) {
            return Err(refused(format!(
                "the layer {} of its root file system does not exist (any more)",
                layer.display()
            )));
        }
    }
    Ok(Spec {
        root,
        ..wanted.clone()
    })
}

pub(super) fn load(directory: &Path) -> io::Result<Option<Root>> {
    let file = match File::open(directory.join(FILE_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

/// Whole or not at all: half a record would keep the sandbox from being opened.
fn save(directory: &Path, root: &Root) -> io::Result<()> {
    let draft = directory.join("root.json.new");
    let mut file = File::create(&draft)?;
    file.write_all(&serde_json::to_vec(root)?)?;
    file.sync_all()?;
    fs::rename(draft, directory.join(FILE_NAME))
}
