//! That a sandbox has a container, on disk beside its files. Whether it runs is asked inside.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::limits::{PROTOCOL_VERSION, RECORD_BYTES_MAX};

const FILE_NAME: &str = "container.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ContainerRecord {
    pub(super) protocol: u32,
    pub(super) name: String,
    /// The engine that has it.
    pub(super) engine: PathBuf,
}

impl ContainerRecord {
    pub(super) fn new(name: &str, engine: &Path) -> Self {
        Self {
            protocol: PROTOCOL_VERSION,
            name: name.to_owned(),
            engine: engine.to_owned(),
        }
    }

    pub(super) fn save(&self, directory: &Path) -> io::Result<()> {
        let draft = directory.join("container.json.new");
        fs::write(&draft, serde_json::to_vec(self)?)?;
        fs::rename(draft, directory.join(FILE_NAME))
    }

    /// `Ok(None)` when there is no record; an error when there is one that says nothing.
    pub(super) fn load(directory: &Path) -> io::Result<Option<Self>> {
        let file = match fs::File::open(directory.join(FILE_NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
        Ok(Some(serde_json::from_slice(&text)?))
    }
}
