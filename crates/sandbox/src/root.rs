//! The root file system of a sandbox: where its programs come from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::limits::LAYERS_MAX;

/// A sandbox keeps the root that it was made with for as long as it has files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Root {
    /// The programs of the host, read-only, and a small `/etc` of our own.
    #[default]
    Host,
    /// Directories that are shared read-only, the lowest first, below a layer of the sandbox's own
    /// that takes what it writes. Their parent must be closed to everybody else: files in them may
    /// be setuid. With a server that is root, ids 0 to 65,535 of them are those of the sandbox; else
    /// all of their files belong to the server's user.
    Layers(Vec<PathBuf>),
}

impl Root {
    pub(crate) fn check(&self) -> Result<(), String> {
        let Self::Layers(layers) = self else {
            return Ok(());
        };
        if layers.is_empty() || layers.len() > LAYERS_MAX {
            return Err(format!(
                "a root file system has 1 to {LAYERS_MAX} layers, not {}",
                layers.len()
            ));
        }
        match layers.iter().find(|layer| !layer.is_absolute()) {
            Some(layer) => Err(format!(
                "the layer {} of a root file system is not an absolute path",
                layer.display()
            )),
            None => Ok(()),
        }
    }

    /// The layers, the lowest first; none for the host's programs.
    pub fn layers(&self) -> &[PathBuf] {
        match self {
            Self::Host => &[],
            Self::Layers(layers) => layers,
        }
    }
}
