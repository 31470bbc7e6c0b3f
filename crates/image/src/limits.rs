//! Every bound of this crate, by name: what is unpacked and downloaded comes from strangers.

use std::time::Duration;

/// Files, directories and links of one tree, counted as they come, replaced ones too.
pub(crate) const ENTRIES_MAX: u64 = 2_000_000;
/// What the files of one tree and their extended headers hold, replaced ones counted too.
pub(crate) const TREE_BYTES_MAX: u64 = 64 << 30;
pub(crate) const PATH_BYTES_MAX: usize = 4096;
/// Of a name, and of where it leads: trees are removed by functions that recurse.
pub(crate) const PATH_DEPTH_MAX: usize = 128;
pub(crate) const LINK_TARGET_BYTES_MAX: usize = 4096;
/// What an archive may say about one entry beside its header.
pub(crate) const EXTENSION_BYTES_MAX: u64 = 1 << 20;
/// Ids above this do not exist in a sandbox; such files belong to nobody.
pub(crate) const OWNER_MAX: u64 = 65_535;
pub(crate) const NOBODY: u32 = 65_534;
/// How often the kernel may be asked again for a path that changed while it was resolved.
pub(crate) const RESOLVE_ATTEMPTS_MAX: usize = 16;

/// Trees that one process makes at once.
pub(crate) const DRAFTS_MAX: usize = 1000;
pub(crate) const LAYERS_MAX: usize = 256;
pub(crate) const MANIFEST_BYTES_MAX: u64 = 4 << 20;
pub(crate) const RECORD_BYTES_MAX: u64 = 1 << 20;
/// Variables that an image sets, and what each of them holds.
pub(crate) const VARIABLES_MAX: usize = 100;
pub(crate) const VARIABLE_BYTES_MAX: usize = 8 << 10;
/// An index in an index is as deep as it goes.
pub(crate) const INDEX_DEPTH_MAX: usize = 3;

pub(crate) const BLOB_BYTES_MAX: u64 = 32 << 30;
pub(crate) const TOKEN_BYTES_MAX: u64 = 64 << 10;
pub(crate) const REDIRECTS_MAX: usize = 5;
/// Connections that one blob may take, as long as each brought something.
pub(crate) const DOWNLOAD_ATTEMPTS_MAX: usize = 5;
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// The longest silence of a registry.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);
/// Between two reports about one download.
pub(crate) const REPORT_BYTES: u64 = 8 << 20;
