//! An image from a registry, over the distribution protocol: manifests and blobs, each checked
//! against its digest. Anonymous: a private image is brought by `skopeo copy` to a layout.

mod client;
mod download;
mod token;

use std::path::{Path, PathBuf};

use self::client::Client;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::{BLOB_BYTES_MAX, INDEX_DEPTH_MAX, LAYERS_MAX, MANIFEST_BYTES_MAX};
use crate::oci::{Descriptor, Document, Unpackable, expect, parse_configuration, parse_document};
use crate::reference::Reference;
use crate::store::{Progress, Report};

const MANIFEST_TYPES: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// Brings everything that the image is made of to `blobs`.
pub(crate) async fn pull(
    reference: &Reference,
    blobs: &Path,
    report: &Report,
) -> Result<Unpackable, ImageError> {
    let mut client = Client::new(reference)?;
    let mut text = client
        .manifest(&reference.version(), MANIFEST_TYPES)
        .await?;
    if let Some(digest) = reference.digest() {
        expect(digest, &Digest::of(&text))?;
    }
    let mut depth = 0;
    let (mut configuration, mut layers) = (None, None);
    while depth < INDEX_DEPTH_MAX && layers.is_none() {
        depth += 1;
        match parse_document(&text)? {
            Document::Index(inner) => {
                text = client
                    .manifest(&inner.digest.to_string(), MANIFEST_TYPES)
                    .await?;
                expect(&inner.digest, &Digest::of(&text))?;
            }
            Document::Manifest {
                configuration: found,
                layers: found_layers,
            } => (configuration, layers) = (Some(found), Some(found_layers)),
        }
    }
    let (Some(configuration), Some(layers)) = (configuration, layers) else {
        return Err(ImageError::refused("its indexes are nested too deeply"));
    };
    check_sizes(&configuration, &layers)?;
    let file = download::blob(&mut client, &configuration, blobs, &|_| {}).await?;
    let configuration = std::fs::read(&file).map_err(|source| ImageError::Io {
        doing: format!("reading {}", file.display()),
        source,
    })?;
    Ok(Unpackable {
        digest: Digest::of(&text),
        configuration: parse_configuration(&configuration)?,
        layers: download_all(&mut client, &layers, blobs, report).await?,
    })
}

async fn download_all(
    client: &mut Client,
    layers: &[Descriptor],
    blobs: &Path,
    report: &Report,
) -> Result<Vec<PathBuf>, ImageError> {
    let total: u64 = layers.iter().map(|layer| layer.size).sum();
    let mut before = 0;
    let mut files = Vec::new();
    for layer in layers {
        let tell = |bytes: u64| {
            report(Progress::Downloading {
                bytes: before + bytes,
                of: total,
            });
        };
        files.push(download::blob(client, layer, blobs, &tell).await?);
        before += layer.size;
    }
    Ok(files)
}

fn check_sizes(configuration: &Descriptor, layers: &[Descriptor]) -> Result<(), ImageError> {
    if configuration.size > MANIFEST_BYTES_MAX {
        return Err(ImageError::refused("its configuration is too long"));
    }
    if layers.len() > LAYERS_MAX {
        return Err(ImageError::refused(format!(
            "it has more than {LAYERS_MAX} layers"
        )));
    }
    let total = layers
        .iter()
        .try_fold(0_u64, |sum, layer| sum.checked_add(layer.size));
    match total {
        Some(total) if total <= BLOB_BYTES_MAX => Ok(()),
        _ => Err(ImageError::refused(format!(
            "its layers are larger than {} GiB",
            BLOB_BYTES_MAX >> 30
        ))),
    }
}
