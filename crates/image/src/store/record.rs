//! What is written down beside a tree, and which tree a source has.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::digest::Digest;
use crate::error::{ImageError, While};
use crate::limits::RECORD_BYTES_MAX;
use crate::source::Source;

const NAME: &str = "image.json";

/// Written last: a tree without it does not count.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) bytes: u64,
    pub(super) environment: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Known {
    source: String,
    digest: Digest,
}

impl Record {
    pub(super) fn load(directory: &Path) -> Result<Option<Self>, ImageError> {
        read(&directory.join(NAME))
    }

    pub(super) fn save(&self, directory: &Path) -> Result<(), ImageError> {
        write(&directory.join(NAME), self)
    }
}

pub(super) fn digest_of(folder: &Path, source: &Source) -> Result<Option<Digest>, ImageError> {
    let known: Option<Known> = read(&place(folder, source))?;
    Ok(known.map(|known| known.digest))
}

pub(super) fn remember(folder: &Path, source: &Source, digest: &Digest) -> Result<(), ImageError> {
    let known = Known {
        source: source.to_string(),
        digest: digest.clone(),
    };
    write(&place(folder, source), &known)
}

pub(super) fn sources(folder: &Path) -> Result<Vec<(String, Digest)>, ImageError> {
    let found = all(folder)?.into_iter();
    Ok(found
        .map(|(_, known)| (known.source, known.digest))
        .collect())
}

pub(super) fn forget(folder: &Path, digest: &Digest) -> Result<(), ImageError> {
    for (path, known) in all(folder)? {
        if known.digest == *digest {
            fs::remove_file(&path).doing(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}

fn all(folder: &Path) -> Result<Vec<(PathBuf, Known)>, ImageError> {
    let directory = folder.join("sources");
    let doing = || format!("reading {}", directory.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(&directory).doing(doing)? {
        let path = entry.doing(doing)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            found.extend(read::<Known>(&path)?.map(|known| (path, known)));
        }
    }
    Ok(found)
}

fn place(folder: &Path, source: &Source) -> PathBuf {
    let name = Digest::of(source.to_string().as_bytes());
    folder.join("sources").join(format!("{}.json", name.hex()))
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ImageError> {
    let doing = || format!("reading {}", path.display());
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.doing(doing)?,
    };
    let mut text = Vec::new();
    file.take(RECORD_BYTES_MAX)
        .read_to_end(&mut text)
        .doing(doing)?;
    serde_json::from_slice(&text).map(Some).doing(doing)
}

/// Whole or not at all.
fn write(path: &Path, value: &impl Serialize) -> Result<(), ImageError> {
    let doing = || format!("writing {}", path.display());
    let draft = path.with_extension(format!("new.{}", std::process::id()));
    let mut file = File::create(&draft).doing(doing)?;
    file.write_all(&serde_json::to_vec_pretty(value).doing(doing)?)
        .doing(doing)?;
    file.sync_all().doing(doing)?;
    fs::rename(&draft, path).doing(doing)
}
