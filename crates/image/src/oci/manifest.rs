//! The JSON of an image. It came from outside: what is not needed is not looked at.

use serde::Deserialize;

use super::Configuration;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::limits::{VARIABLE_BYTES_MAX, VARIABLES_MAX};

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Descriptor {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    platform: Option<Platform>,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    architecture: String,
    os: String,
}

/// Either kind of document that a name can stand for.
#[derive(Debug)]
pub(crate) enum Document {
    /// The member for this machine.
    Index(Descriptor),
    Manifest {
        configuration: Descriptor,
        layers: Vec<Descriptor>,
    },
}

#[derive(Deserialize)]
struct AnyDocument {
    manifests: Option<Vec<Descriptor>>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
}

pub(crate) fn parse_document(text: &[u8]) -> Result<Document, ImageError> {
    let document: AnyDocument = parse(text, "manifest")?;
    match document {
        AnyDocument {
            manifests: Some(manifests),
            ..
        } => for_this_machine(manifests).map(Document::Index),
        AnyDocument {
            config: Some(configuration),
            layers: Some(layers),
            ..
        } => Ok(Document::Manifest {
            configuration,
            layers,
        }),
        _ => Err(ImageError::refused(
            "its manifest is neither an index nor one with layers (schema 1 is not understood)",
        )),
    }
}

pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8], what: &str) -> Result<T, ImageError> {
    serde_json::from_slice(text)
        .map_err(|error| ImageError::refused(format!("its {what} is not understood: {error}")))
}

fn for_this_machine(manifests: Vec<Descriptor>) -> Result<Descriptor, ImageError> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let named = |descriptor: &&Descriptor| {
        let platform = descriptor.platform.as_ref();
        platform
            .is_some_and(|platform| platform.os == "linux" && platform.architecture == architecture)
    };
    if let Some(found) = manifests.iter().find(named) {
        return Ok(found.clone());
    }
    // One alone need not say what it is for.
    match manifests.as_slice() {
        [only] if only.platform.is_none() => Ok(only.clone()),
        _ => Err(ImageError::refused(format!(
            "it has nothing for linux/{architecture}"
        ))),
    }
}

pub(crate) fn parse_configuration(text: &[u8]) -> Result<Configuration, ImageError> {
    #[derive(Deserialize)]
    struct Image {
        config: Option<Inner>,
        rootfs: Option<RootFs>,
    }
    #[derive(Deserialize)]
    struct Inner {
        #[serde(rename = "Env")]
        env: Option<Vec<String>>,
    }
    #[derive(Deserialize)]
    struct RootFs {
        diff_ids: Vec<Digest>,
    }
    let image: Image = parse(text, "configuration")?;
    let variables = image
        .config
        .and_then(|config| config.env)
        .unwrap_or_default();
    if variables.len() > VARIABLES_MAX {
        return Err(ImageError::refused(format!(
            "it sets more than {VARIABLES_MAX} environment variables"
        )));
    }
    let mut configuration = Configuration {
        layers: image.rootfs.map(|root| root.diff_ids).unwrap_or_default(),
        ..Configuration::default()
    };
    for variable in variables {
        let Some((name, value)) = variable.split_once('=') else {
            continue;
        };
        if name.is_empty() || variable.len() > VARIABLE_BYTES_MAX || variable.contains('\0') {
            return Err(ImageError::refused(
                "one of its environment variables is not usable",
            ));
        }
        configuration
            .environment
            .insert(name.to_owned(), value.to_owned());
    }
    Ok(configuration)
}
