//! Images as the Open Container Initiative describes them: an index, a manifest, a configuration
//! and layers, each named by its digest.

mod layout;
mod manifest;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) use self::layout::{expect, read_layout};
pub(crate) use self::manifest::{Descriptor, Document, parse_configuration, parse_document};
use crate::archive::{Bounds, Tree, Whiteouts, unpack};
use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::LAYERS_MAX;

/// An image whose layers lie in files that were checked.
pub(crate) struct Unpackable {
    pub(crate) digest: Digest,
    pub(crate) configuration: Configuration,
    /// The lowest first.
    pub(crate) layers: Vec<PathBuf>,
}

/// What of an image's configuration matters for a root file system.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) environment: BTreeMap<String, String>,
    /// The digests of the layers before compression.
    pub(crate) layers: Vec<Digest>,
}

impl Unpackable {
    pub(crate) fn unpack(
        &self,
        tree: &Tree,
        bounds: &mut Bounds,
        report: &dyn Fn(usize, usize),
    ) -> Result<(), ImageError> {
        if self.layers.len() > LAYERS_MAX {
            return Err(ImageError::refused(format!(
                "it has more than {LAYERS_MAX} layers"
            )));
        }
        for (number, layer) in self.layers.iter().enumerate() {
            report(number + 1, self.layers.len());
            unpack(layer, tree, bounds, Whiteouts::Apply)?;
        }
        Ok(())
    }
}
