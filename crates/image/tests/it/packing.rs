//! Makes tars and layouts, also such as nobody honest makes.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_image::{Image, ImageError, ImageStore, Source};
use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// A store, and a place for what goes into it.
pub(crate) struct Bench {
    pub(crate) store: ImageStore,
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = ImageStore::open(&folder.path().join("images")).unwrap();
        Self { store, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn get(&self, source: &str) -> Result<Image, ImageError> {
        let source: Source = source.parse()?;
        self.store.get(&source, Arc::new(|_| {})).await
    }

    pub(crate) async fn tar(&self, bytes: &[u8]) -> Result<Image, ImageError> {
        let path = self.path("archive.tar");
        fs::write(&path, bytes).unwrap();
        let source: Source = format!("tar:{}", path.display()).parse()?;
        self.store.pull(&source, Arc::new(|_| {})).await
    }

    /// Nothing half-made is left, and no tree if none was given.
    pub(crate) fn assert_trees(&self, count: usize) {
        let images = self.path("images");
        assert_eq!(fs::read_dir(images.join("drafts")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(images.join("trees")).unwrap().count(), count);
    }
}

pub(crate) struct Tar(Builder<Vec<u8>>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self(Builder::new(Vec::new()))
    }

    pub(crate) fn header(kind: EntryType, name: &str, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(size);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        header
    }

    pub(crate) fn raw(mut self, header: &Header, content: &[u8]) -> Self {
        self.0.append(header, content).unwrap();
        self
    }

    pub(crate) fn file(self, name: &str, content: &str) -> Self {
        let header = Self::header(EntryType::Regular, name, content.len() as u64);
        self.raw(&header, content.as_bytes())
    }

    pub(crate) fn directory(self, name: &str) -> Self {
        let mut header = Self::header(EntryType::Directory, name, 0);
        header.set_mode(0o755);
        header.set_cksum();
        self.raw(&header, &[])
    }

    pub(crate) fn link(self, kind: EntryType, name: &str, target: &str) -> Self {
        let mut header = Self::header(kind, name, 0);
        header.set_link_name_literal(target).unwrap();
        header.set_cksum();
        self.raw(&header, &[])
    }

    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.link(EntryType::Symlink, name, target)
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::fast());
    encoder.read_to_end(&mut packed).unwrap();
    packed
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}")
}

pub(crate) fn descriptor(bytes: &[u8]) -> Value {
    json!({"mediaType": "application/octet-stream", "digest": digest(bytes), "size": bytes.len()})
}

/// The blobs of an image, and its manifest.
pub(crate) struct Packed {
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) manifest: Vec<u8>,
}

pub(crate) fn image(layers: &[Vec<u8>]) -> Packed {
    let digests: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    let configuration = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Env": ["PATH=/opt/own/bin:/usr/bin:/bin", "GREETING=hello"]},
        "rootfs": {"type": "layers", "diff_ids": digests},
    });
    let configuration = serde_json::to_vec(&configuration).unwrap();
    let packed: Vec<Vec<u8>> = layers.iter().map(|layer| gzip(layer)).collect();
    let descriptors: Vec<Value> = packed.iter().map(|layer| descriptor(layer)).collect();
    let manifest = json!({
        "schemaVersion": 2, "config": descriptor(&configuration), "layers": descriptors,
    });
    let mut blobs = packed;
    blobs.push(configuration);
    Packed {
        blobs,
        manifest: serde_json::to_vec(&manifest).unwrap(),
    }
}

/// An index that has the image for this machine, and nonsense for another.
pub(crate) fn index(manifest: &[u8]) -> Vec<u8> {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let mut ours = descriptor(manifest);
    ours["platform"] = json!({"os": "linux", "architecture": architecture});
    let mut other = descriptor(b"nothing");
    other["platform"] = json!({"os": "plan9", "architecture": "mips"});
    serde_json::to_vec(&json!({"schemaVersion": 2, "manifests": [other, ours]})).unwrap()
}

pub(crate) fn write_layout(place: &Path, image: &Packed) {
    let blobs = place.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    for blob in image.blobs.iter().chain([&image.manifest]) {
        fs::write(
            blobs.join(digest(blob).strip_prefix("sha256:").unwrap()),
            blob,
        )
        .unwrap();
    }
    fs::write(place.join("index.json"), index(&image.manifest)).unwrap();
    fs::write(
        place.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
}

/// Everything below a directory, with what files hold.
pub(crate) fn contents(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let kind = fs::symlink_metadata(&path).unwrap();
            if kind.is_dir() {
                found.push(format!("{name}/"));
                waiting.push(path);
            } else if kind.is_symlink() {
                found.push(format!(
                    "{name} -> {}",
                    fs::read_link(&path).unwrap().display()
                ));
            } else {
                found.push(format!("{name}: {}", fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
