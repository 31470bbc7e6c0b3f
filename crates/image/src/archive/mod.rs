//! Tars, compressed or not, unpacked into a tree.

mod bounds;
mod compression;
mod items;
mod tree;
mod whiteouts;

use std::fs::File;
use std::io::Read;
use std::path::Path;

pub(crate) use self::bounds::Bounds;
pub(crate) use self::compression::decompressed;
pub(crate) use self::items::{Item, Kind, components};
pub(crate) use self::tree::{Ownership, Tree};
use crate::error::{ImageError, While};

/// Whether names that start with `.wh.` remove what lower layers have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whiteouts {
    Apply,
    /// A plain archive: such a name is one like any other.
    None,
}

/// Unpacks the tar in `file`, which is read from its start.
pub(crate) fn unpack(
    file: &Path,
    tree: &Tree,
    bounds: &mut Bounds,
    mode: Whiteouts,
) -> Result<(), ImageError> {
    if mode == Whiteouts::Apply {
        // First of all, wherever in the layer they stand: they mean what lower layers have.
        let mut unbounded_by_this_pass = bounds.clone();
        items::read(open(file)?, &mut unbounded_by_this_pass, |item, _| {
            whiteouts::apply(tree, &item)
        })?;
    }
    items::read(open(file)?, bounds, |item, content| {
        if mode == Whiteouts::Apply && whiteouts::is_one(&item) {
            return Ok(());
        }
        tree.place(&item, content)
    })
}

fn open(file: &Path) -> Result<Box<dyn Read>, ImageError> {
    let opened = File::open(file).doing(|| format!("opening {}", file.display()))?;
    decompressed(opened)
}
