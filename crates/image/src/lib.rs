//! Root file systems for sandboxes: from a directory, a tar, an OCI layout or a registry to a
//! directory that can be shared read-only.
//!
//! [`ImageStore::get`] gives the tree of a [`Source`], which it unpacks at the first time. All of
//! an image's layers become one tree, so that a link of a lower layer means in an upper one what
//! it says. An archive is hostile: its names are resolved beneath the tree by the kernel, its
//! device files and extended attributes are left out, and its size is bounded.
//!
//! The folder of the store, mode 0700, since the files in it may be setuid:
//!
//! ```text
//! sources/<hash>.json    which tree a source had when it was last pulled
//! trees/<digest>/        image.json, and the tree in root/
//! blobs/                 what is being downloaded; kept to go on after an interruption
//! drafts/                trees that are being made; what a crash left is deleted
//! ```
//!
//! It knows no sandbox and no session, and it runs nothing of what it unpacks.

mod archive;
mod digest;
mod directory;
mod error;
mod limits;
mod oci;
mod reference;
mod registry;
mod source;
mod store;

pub use digest::Digest;
pub use error::ImageError;
pub use reference::Reference;
pub use source::Source;
pub use store::{Image, ImageStore, Progress, Report, Stored};
