//! Where a sandbox has packages that were installed before it was made.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Where packages are for a root of the host's programs. A root of layers has no need of it: there
/// packages are installed into the root, and what that wrote is one more layer.
pub const PACKAGES_DIRECTORY: &str = "/opt/packages";
/// Where the one that installs them finds the operator's own packages.
pub const PACKAGE_SOURCES_DIRECTORY: &str = "/opt/package-sources";

/// Where a shell looks for programs, if its environment does not say something else.
pub const SEARCH_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Packages {
    #[default]
    None,
    /// Read-only, shared with others.
    Shared(PathBuf),
    /// The sandbox installs them, perhaps from a directory of the operator's, which is read-only.
    Building { sources: Option<PathBuf> },
}
