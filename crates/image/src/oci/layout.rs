//! An image in a directory: an OCI layout, or what `docker save` has packed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, open, openat2};
use serde::Deserialize;

use super::manifest::parse;
use super::{Document, Unpackable, parse_configuration, parse_document};
use crate::archive::decompressed;
use crate::digest::Digest;
use crate::error::{ImageError, While};
use crate::limits::{INDEX_DEPTH_MAX, LAYERS_MAX, MANIFEST_BYTES_MAX};

/// Checks everything that it names before it says what there is to unpack. The layers are given
/// as paths of descriptors that the second value holds open.
pub(crate) fn read_layout(directory: &Path) -> Result<(Unpackable, Vec<OwnedFd>), ImageError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(directory, flags, Mode::empty());
    let layout = Layout {
        root: root.doing(|| format!("opening {}", directory.display()))?,
    };
    match layout.read_text("index.json") {
        Ok(index) => layout.by_index(&index),
        Err(ImageError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            layout.by_docker_manifest()
        }
        Err(error) => Err(error),
    }
}

struct Layout {
    root: OwnedFd,
}

impl Layout {
    fn by_index(&self, index: &[u8]) -> Result<(Unpackable, Vec<OwnedFd>), ImageError> {
        let mut text = index.to_vec();
        for _ in 0..INDEX_DEPTH_MAX {
            match parse_document(&text)? {
                Document::Index(inner) => text = self.checked_text(&inner.digest)?,
                Document::Manifest {
                    configuration,
                    layers,
                } => {
                    let configuration = self.checked_text(&configuration.digest)?;
                    let digests: Vec<_> = layers.into_iter().map(|layer| layer.digest).collect();
                    let mut files = Vec::new();
                    for digest in digests.iter().take(LAYERS_MAX + 1) {
                        let file = self.open_file(&blob(digest))?;
                        check(&file, digest)?;
                        files.push(file);
                    }
                    return Ok(unpackable(
                        Digest::of(&text),
                        parse_configuration(&configuration)?,
                        files,
                    ));
                }
            }
        }
        Err(ImageError::refused("its indexes are nested too deeply"))
    }

    /// How Docker wrote images before it wrote layouts. The configuration has the digests.
    fn by_docker_manifest(&self) -> Result<(Unpackable, Vec<OwnedFd>), ImageError> {
        #[derive(Deserialize)]
        struct Saved {
            #[serde(rename = "Config")]
            configuration: String,
            #[serde(rename = "Layers")]
            layers: Vec<String>,
        }
        let text = self.read_text("manifest.json")?;
        let saved: Vec<Saved> = parse(&text, "manifest.json")?;
        let [saved] = saved.as_slice() else {
            return Err(ImageError::refused(
                "it holds several images; save one alone",
            ));
        };
        let text = self.read_text(&saved.configuration)?;
        let configuration = parse_configuration(&text)?;
        if configuration.layers.len() != saved.layers.len() {
            return Err(ImageError::refused(
                "its configuration has other layers than it has",
            ));
        }
        let mut files = Vec::new();
        for (layer, digest) in saved
            .layers
            .iter()
            .zip(&configuration.layers)
            .take(LAYERS_MAX + 1)
        {
            let file = self.open_file(layer)?;
            let again = reopen(&file).doing(|| format!("opening {layer}"))?;
            let found = Digest::of_stream(decompressed(again)?);
            expect(digest, &found.doing(|| format!("reading {layer}"))?)?;
            files.push(file);
        }
        Ok(unpackable(Digest::of(&text), configuration, files))
    }

    fn checked_text(&self, digest: &Digest) -> Result<Vec<u8>, ImageError> {
        let text = self.read_text(&blob(digest))?;
        expect(digest, &Digest::of(&text))?;
        Ok(text)
    }

    fn read_text(&self, name: &str) -> Result<Vec<u8>, ImageError> {
        let file = File::from(self.open_file(name)?);
        let mut text = Vec::new();
        file.take(MANIFEST_BYTES_MAX + 1)
            .read_to_end(&mut text)
            .doing(|| format!("reading {name}"))?;
        if text.len() as u64 > MANIFEST_BYTES_MAX {
            return Err(ImageError::refused(format!("its {name} is too long")));
        }
        Ok(text)
    }

    /// A regular file of the layout: no link and no pipe, and nothing outside.
    fn open_file(&self, name: &str) -> Result<OwnedFd, ImageError> {
        let doing = || format!("opening {name:?} of the image");
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        let file = openat2(&self.root, name, flags, Mode::empty(), inside).doing(doing)?;
        let kind = FileType::from_raw_mode(fstat(&file).doing(doing)?.st_mode);
        if kind == FileType::RegularFile {
            Ok(file)
        } else {
            Err(ImageError::refused(format!("its {name:?} is not a file")))
        }
    }
}

fn unpackable(
    digest: Digest,
    configuration: super::Configuration,
    files: Vec<OwnedFd>,
) -> (Unpackable, Vec<OwnedFd>) {
    let path = |file: &OwnedFd| PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let unpackable = Unpackable {
        digest,
        configuration,
        layers: files.iter().map(path).collect(),
    };
    (unpackable, files)
}

fn reopen(file: &OwnedFd) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

fn check(file: &OwnedFd, digest: &Digest) -> Result<(), ImageError> {
    let doing = || format!("checking {digest}");
    let found = Digest::of_stream(reopen(file).doing(doing)?).doing(doing)?;
    expect(digest, &found)
}

pub(crate) fn expect(wanted: &Digest, found: &Digest) -> Result<(), ImageError> {
    if wanted == found {
        return Ok(());
    }
    Err(ImageError::refused(format!(
        "{wanted} turned out to be {found}"
    )))
}

fn blob(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}
