//! How a layer removes what layers below it have: by names that start with `.wh.`.

use super::items::Item;
use super::tree::Tree;
use crate::error::{ImageError, While};

const PREFIX: &[u8] = b".wh.";
/// Everything that lower layers have in this directory.
const OPAQUE: &[u8] = b".wh..wh..opq";
/// Of a file system that nobody uses any more; means nothing here.
const BOOKKEEPING: &[u8] = b".wh..wh.";

pub(super) fn is_one(item: &Item) -> bool {
    item.path
        .last()
        .is_some_and(|name| name.starts_with(PREFIX))
}

pub(super) fn apply(tree: &Tree, item: &Item) -> Result<(), ImageError> {
    let Some((name, parent)) = item.path.split_last() else {
        return Ok(());
    };
    let doing = || "removing what a layer hides".to_owned();
    if name == OPAQUE {
        return tree.clear(parent).doing(doing);
    }
    if name.starts_with(BOOKKEEPING) {
        return Ok(());
    }
    let Some(hidden) = name.strip_prefix(PREFIX) else {
        return Ok(());
    };
    if hidden.is_empty() || hidden == b"." || hidden == b".." {
        return Err(ImageError::refused("a layer hides what is not a name"));
    }
    let mut path = parent.to_vec();
    path.push(hidden.to_vec());
    tree.remove(&path).doing(doing)
}
