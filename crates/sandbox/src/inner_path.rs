//! A path below one of a sandbox's directories, of plain names only.
//!
//! That it holds no `..` is not what keeps it inside: whoever opens it has the kernel resolve it
//! beneath its root. This type is for paths that we choose; those that a sandbox chose are text.

use std::fmt;
use std::str::FromStr;

use crate::limits::{INNER_PATH_BYTES_MAX, INNER_PATH_NAMES_MAX, NAME_BYTES_MAX};

/// One or more names, joined by slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InnerPath(String);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a path of at most {INNER_PATH_NAMES_MAX} plain names")]
pub struct InvalidInnerPath;

impl InnerPath {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The paths of the directories that it lies in, the outermost first.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

impl FromStr for InnerPath {
    type Err = InvalidInnerPath;

    fn from_str(text: &str) -> Result<Self, InvalidInnerPath> {
        let is_plain = |name: &str| {
            !matches!(name, "" | "." | "..") && name.len() <= NAME_BYTES_MAX && !name.contains('\0')
        };
        let is_short = text.len() <= INNER_PATH_BYTES_MAX;
        let is_shallow = text.split('/').count() <= INNER_PATH_NAMES_MAX;
        if is_short && is_shallow && text.split('/').all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInnerPath)
        }
    }
}

impl fmt::Display for InnerPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl serde::Serialize for InnerPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for InnerPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
