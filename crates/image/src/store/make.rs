//! From a source to a tree: everything is made in a draft, which becomes the tree in one step.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open, syncfs};

use super::draft::Draft;
use super::record::{self, Record};
use super::{Image, Inner, Progress, Report};
use crate::archive::{Bounds, Ownership, Tree, Whiteouts, unpack};
use crate::digest::Digest;
use crate::directory;
use crate::error::{ImageError, While};
use crate::oci::{Unpackable, read_layout};
use crate::registry;
use crate::source::Source;

/// What a draft has become.
struct Made {
    draft: Draft,
    digest: Digest,
    bytes: u64,
    environment: BTreeMap<String, String>,
}

impl Inner {
    pub(super) async fn make(
        self: &Arc<Self>,
        source: &Source,
        report: Report,
    ) -> Result<Image, ImageError> {
        let drafts = self.folder.join("drafts");
        let downloaded = match source {
            Source::Registry(reference) => {
                Some(registry::pull(reference, &self.folder.join("blobs"), &report).await?)
            }
            Source::Directory(_) | Source::Tar(_) | Source::OciLayout(_) => None,
        };
        let inner = Arc::clone(self);
        let source = source.clone();
        let work = move || {
            let made = match (&source, &downloaded) {
                (Source::Directory(path), _) => from_directory(path, &drafts)?,
                (Source::Tar(path), _) => from_tar(path, &drafts, &report)?,
                (Source::OciLayout(path), _) => from_layout(path, &drafts, &report)?,
                (Source::Registry(_), Some(image)) => match inner.image(&image.digest)? {
                    Some(known) => return inner.known(&source, known, &image.layers),
                    None => from_image(image, Draft::make(&drafts).doing(drafting)?, &report)?,
                },
                (Source::Registry(_), None) => {
                    return Err(ImageError::refused("nothing was downloaded"));
                }
            };
            let image = inner.keep(made)?;
            let blobs = downloaded.map(|image| image.layers).unwrap_or_default();
            inner.known(&source, image, &blobs)
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(io::Error::other)
            .doing(|| "making a tree".to_owned())?
    }

    /// The source has this tree now; the blobs that it came in are not needed any more.
    fn known(&self, source: &Source, image: Image, blobs: &[PathBuf]) -> Result<Image, ImageError> {
        record::remember(&self.folder, source, &image.digest)?;
        for blob in blobs {
            if let Err(error) = fs::remove_file(blob) {
                tracing::warn!(blob = %blob.display(), %error, "a blob is left behind");
            }
        }
        Ok(image)
    }

    fn keep(&self, made: Made) -> Result<Image, ImageError> {
        let place = self.tree(&made.digest);
        let doing = || format!("keeping {}", place.display());
        let record = Record {
            bytes: made.bytes,
            environment: made.environment.clone(),
        };
        record.save(made.draft.path())?;
        let draft = open(
            made.draft.path(),
            OFlags::RDONLY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        syncfs(draft.doing(doing)?.as_fd()).doing(doing)?;
        match fs::rename(made.draft.path(), &place) {
            // Somebody else was first, with the same content.
            Err(_) if place.join("image.json").exists() => {}
            renamed => renamed.doing(doing)?,
        }
        let parent = fs::File::open(self.folder.join("trees")).doing(doing)?;
        parent.sync_all().doing(doing)?;
        Ok(Image {
            digest: made.digest,
            root: place.join("root"),
            environment: made.environment,
        })
    }
}

fn drafting() -> String {
    "making a draft".to_owned()
}

fn new_tree(draft: &Draft) -> Result<Tree, ImageError> {
    let root = draft.path().join("root");
    fs::create_dir(&root).doing(drafting)?;
    // The umask may have taken something away, and this is `/` of a sandbox.
    let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    fs::set_permissions(&root, mode).doing(drafting)?;
    Tree::open(&root, Ownership::possible())
}

fn from_directory(path: &Path, drafts: &Path) -> Result<Made, ImageError> {
    let draft = Draft::make(drafts).doing(drafting)?;
    let mut bounds = Bounds::default();
    let digest = directory::copy(path, &new_tree(&draft)?, &mut bounds)?;
    Ok(Made {
        draft,
        digest,
        bytes: bounds.bytes_taken(),
        environment: BTreeMap::new(),
    })
}

fn from_tar(path: &Path, drafts: &Path, report: &Report) -> Result<Made, ImageError> {
    let doing = || format!("reading {}", path.display());
    let draft = Draft::make(drafts).doing(drafting)?;
    let mut bounds = Bounds::default();
    let digest = Digest::of_stream(fs::File::open(path).doing(doing)?).doing(doing)?;
    report(Progress::Unpacking { layer: 1, of: 1 });
    unpack(path, &new_tree(&draft)?, &mut bounds, Whiteouts::None)?;
    Ok(Made {
        draft,
        digest,
        bytes: bounds.bytes_taken(),
        environment: BTreeMap::new(),
    })
}

fn from_layout(path: &Path, drafts: &Path, report: &Report) -> Result<Made, ImageError> {
    let draft = Draft::make(drafts).doing(drafting)?;
    if path.is_dir() {
        let (image, _open) = read_layout(path)?;
        return from_image(&image, draft, report);
    }
    let packed = Draft::make(drafts).doing(drafting)?;
    let layout = Tree::open(packed.path(), Ownership::Flattened)?;
    unpack(path, &layout, &mut Bounds::default(), Whiteouts::None)?;
    let (image, _open) = read_layout(packed.path())?;
    from_image(&image, draft, report)
}

fn from_image(image: &Unpackable, draft: Draft, report: &Report) -> Result<Made, ImageError> {
    let mut bounds = Bounds::default();
    let tell = |layer, of| report(Progress::Unpacking { layer, of });
    image.unpack(&new_tree(&draft)?, &mut bounds, &tell)?;
    Ok(Made {
        draft,
        digest: image.digest.clone(),
        bytes: bounds.bytes_taken(),
        environment: image.configuration.environment.clone(),
    })
}
