//! Which root file system and which packages a sandbox was made with.
//!
//! What a sandbox wrote lies over certain layers and means nothing over others. So it keeps its
//! root, whatever is asked for later, and one whose layers are gone is not opened. Its packages are
//! on record too, so that they stay for as long as it has files; they may be others at its next
//! start.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Place, SandboxHost, blocking};

use crate::error::SandboxError;
use crate::isolation::Mode;
use crate::limits::RECORD_BYTES_MAX;
use crate::name::SandboxName;
use crate::packages::Packages;
use crate::root::Root;
use crate::spec::Spec;

const ROOT_FILE: &str = "root.json";
const EXTRAS_FILE: &str = "extras.json";

/// What else than its root a sandbox was started with the last time.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extras {
    packages: Packages,
    environment: BTreeMap<String, String>,
    /// As in [`Spec::identity`], of the root on record.
    #[serde(default)]
    identity: Option<String>,
}

impl SandboxHost {
    /// What the sandbox of this name was made with, where all of that is on record and still there:
    /// its root, its packages and its environment. The rest is as in the default.
    pub async fn made_with(&self, name: &SandboxName) -> Result<Option<Spec>, SandboxError> {
        let directory = match &self.place {
            Place::Here(inner) => inner.state.directory_of(name),
            // Nothing is on record.
            Place::Fake(_) => return Ok(None),
        };
        Ok(blocking(move || made_with(&directory)).await?)
    }
}

fn made_with(directory: &Path) -> io::Result<Option<Spec>> {
    let root = load::<Root>(directory, ROOT_FILE)?;
    let (Some(root), Some(extras)) = (root, load::<Extras>(directory, EXTRAS_FILE)?) else {
        return Ok(None);
    };
    let spec = Spec {
        root,
        packages: extras.packages,
        environment: extras.environment,
        identity: extras.identity,
        ..Spec::default()
    };
    let are_there = layers_of(&spec.root, &spec.packages).all(|layer| is_there(layer));
    Ok(are_there.then_some(spec))
}

/// What to make the sandbox in `directory` with: its root is the one on record, or else the one
/// that is asked for, which is recorded.
pub(super) fn settle(directory: &Path, mode: Mode, wanted: &Spec) -> Result<Spec, SandboxError> {
    let refused = |reason| SandboxError::Unavailable { reason };
    wanted.root.check().map_err(refused)?;
    match mode {
        Mode::Isolated => {}
        Mode::UnsafeProcess | Mode::Container | Mode::Pod
            if wanted.root == Root::Host && wanted.packages == Packages::None =>
        {
            return Ok(wanted.clone());
        }
        Mode::UnsafeProcess => {
            return Err(refused(
                "an unsafe process runs the programs of the host: it has neither a root file system \
                 nor packages of its own"
                    .to_owned(),
            ));
        }
        Mode::Container | Mode::Pod => {
            return Err(refused(
                "a container has the root file system of its image and no other".to_owned(),
            ));
        }
    }
    let (root, identity) = settle_root(directory, wanted)?;
    // Before the look: from then on, nobody removes its packages.
    let extras = Extras {
        packages: wanted.packages.clone(),
        environment: wanted.environment.clone(),
        identity,
    };
    save(directory, EXTRAS_FILE, &extras)?;
    if let Some(layer) = layers_of(&root, &wanted.packages).find(|layer| !is_there(layer)) {
        return Err(refused(format!(
            "the layer {} of its root file system or packages does not exist (any more), and what \
             its environment asks for is another one here",
            layer.display()
        )));
    }
    Ok(Spec {
        root,
        identity: extras.identity,
        ..wanted.clone()
    })
}

/// The root that the sandbox has, and its identity. Layers that were removed, or that another host
/// had elsewhere, are replaced by those of the same identity.
fn settle_root(directory: &Path, wanted: &Spec) -> io::Result<(Root, Option<String>)> {
    let identity = load::<Extras>(directory, EXTRAS_FILE)?.and_then(|extras| extras.identity);
    match load::<Root>(directory, ROOT_FILE)? {
        Some(recorded) if recorded == wanted.root => Ok((recorded, wanted.identity.clone())),
        Some(recorded)
            if identity.is_none()
                || identity != wanted.identity
                || recorded.layers().iter().all(|layer| is_there(layer)) =>
        {
            Ok((recorded, identity))
        }
        Some(_) | None => {
            save(directory, ROOT_FILE, &wanted.root)?;
            Ok((wanted.root.clone(), wanted.identity.clone()))
        }
    }
}

/// The root of the sandbox in `directory`, which it keeps.
pub(super) fn root(directory: &Path) -> io::Result<Root> {
    Ok(load(directory, ROOT_FILE)?.unwrap_or_default())
}

/// The layers that the sandbox in `directory` is made of.
pub(super) fn layers(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let root = root(directory)?;
    let extras = load::<Extras>(directory, EXTRAS_FILE)?;
    let packages = extras.map(|extras| extras.packages).unwrap_or_default();
    Ok(layers_of(&root, &packages).cloned().collect())
}

fn layers_of<'a>(root: &'a Root, packages: &'a Packages) -> impl Iterator<Item = &'a PathBuf> {
    let packages = match packages {
        Packages::Shared(layer) => Some(layer),
        Packages::None | Packages::Building { .. } => None,
    };
    root.layers().iter().chain(packages)
}

fn is_there(layer: &Path) -> bool {
    fs::symlink_metadata(layer).is_ok_and(|found| found.is_dir())
}

pub(super) fn load<T: DeserializeOwned>(directory: &Path, name: &str) -> io::Result<Option<T>> {
    let file = match File::open(directory.join(name)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
    if is_blank(&text) {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&text)?))
}

/// What a file is that was begun shortly before the machine lost its power.
fn is_blank(text: &[u8]) -> bool {
    text.iter().all(|byte| *byte == 0)
}

/// Whether the sandbox in `directory` was begun so shortly before the machine lost its power that what
/// its root is was lost, and with it most likely all that it wrote.
pub(super) fn is_lost(directory: &Path) -> bool {
    fs::read(directory.join(ROOT_FILE)).is_ok_and(|text| is_blank(&text))
}

/// Whole or not at all, whatever becomes of this server. It is not synced, as nothing is that a
/// sandbox writes: each launch would wait for the disk, twice.
fn save(directory: &Path, name: &str, record: &impl Serialize) -> io::Result<()> {
    write_draft(directory, name, record)?;
    fs::rename(draft_of(directory, name), directory.join(name))
}

/// The same, whatever becomes of the machine.
pub(super) fn save_synced(directory: &Path, name: &str, record: &impl Serialize) -> io::Result<()> {
    write_draft(directory, name, record)?.sync_all()?;
    fs::rename(draft_of(directory, name), directory.join(name))
}

fn draft_of(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.new"))
}

fn write_draft(directory: &Path, name: &str, record: &impl Serialize) -> io::Result<File> {
    let text = serde_json::to_vec(record)?;
    if text.len() as u64 > RECORD_BYTES_MAX {
        return Err(io::Error::other(format!(
            "the root, packages and variables of a sandbox take more than {RECORD_BYTES_MAX} bytes"
        )));
    }
    let mut file = File::create(draft_of(directory, name))?;
    file.write_all(&text)?;
    Ok(file)
}
