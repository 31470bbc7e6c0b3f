//! Where a root file system comes from, in the words of the configuration.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::ImageError;
use crate::reference::Reference;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// `dir:/path`, which is copied.
    Directory(PathBuf),
    /// `tar:/path`, plain or compressed with gzip or zstd.
    Tar(PathBuf),
    /// `oci-layout:/path`: a directory or a tar, as `skopeo copy` and `docker save` write them.
    OciLayout(PathBuf),
    /// `oci:name:tag`, from a registry.
    Registry(Reference),
}

impl FromStr for Source {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self, ImageError> {
        let Some((kind, rest)) = text.split_once(':') else {
            return Err(unknown(text));
        };
        match kind {
            "dir" => path(kind, rest).map(Self::Directory),
            "tar" => path(kind, rest).map(Self::Tar),
            "oci-layout" => path(kind, rest).map(Self::OciLayout),
            "oci" => rest.parse().map(Self::Registry),
            _ => Err(unknown(text)),
        }
    }
}

fn unknown(text: &str) -> ImageError {
    ImageError::Invalid(format!(
        "{text:?} is not a root file system: write dir:/path, tar:/path.tar.zst, \
         oci-layout:/path or oci:registry/name:tag"
    ))
}

fn path(kind: &str, text: &str) -> Result<PathBuf, ImageError> {
    let path = Path::new(text);
    if path.is_absolute() {
        Ok(path.to_owned())
    } else {
        Err(ImageError::Invalid(format!(
            "{kind}:{text} does not name an absolute path"
        )))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "dir:{}", path.display()),
            Self::Tar(path) => write!(f, "tar:{}", path.display()),
            Self::OciLayout(path) => write!(f, "oci-layout:{}", path.display()),
            Self::Registry(reference) => write!(f, "oci:{reference}"),
        }
    }
}
