//! Packages that others share, or that are being installed here.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags};

use super::disk::SandboxFiles;
use super::mounts::{bind, make_directory};
use crate::launcher::order::{At, Refused};
use crate::packages::{PACKAGE_SOURCES_DIRECTORY, PACKAGES_DIRECTORY, Packages};
use crate::root::Root;
use crate::spec::Spec;
use crate::sys::mounts::{Depth, NO_DEVICES, NO_SUID, READ_ONLY};

const PRIVATE: u64 = NO_SUID | NO_DEVICES;

/// Directories of the host, opened as the server's user.
pub(super) struct PackageSources {
    packages: Option<(OwnedFd, u64)>,
    sources: Option<OwnedFd>,
}

impl PackageSources {
    pub(super) fn open(spec: &Spec, files: &SandboxFiles) -> Result<Self, Refused> {
        let open = |path: &Path| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let step = format!("open {}", path.display());
            rustix::fs::openat(CWD, path, flags, Mode::empty()).at(&step)
        };
        let mut opened = Self {
            packages: None,
            sources: None,
        };
        match &spec.packages {
            Packages::None => {}
            Packages::Shared(path) => opened.packages = Some((open(path)?, PRIVATE | READ_ONLY)),
            Packages::Building { sources } => {
                // In a root of layers, all that is written is the layer.
                if spec.root == Root::Host {
                    opened.packages = Some((files.open("upper")?, PRIVATE));
                }
                opened.sources = sources.as_deref().map(open).transpose()?;
            }
        }
        Ok(opened)
    }

    pub(super) fn mount(&self) -> Result<(), Refused> {
        let add = |directory: &OwnedFd, place: &str, attributes: u64| {
            let place = place.trim_start_matches('/');
            make_directory(place)?;
            bind(directory.as_fd(), "", place, attributes, Depth::ThisMount)
        };
        if let Some((packages, attributes)) = &self.packages {
            add(packages, PACKAGES_DIRECTORY, *attributes)?;
        }
        if let Some(sources) = &self.sources {
            add(sources, PACKAGE_SOURCES_DIRECTORY, PRIVATE | READ_ONLY)?;
        }
        Ok(())
    }
}
