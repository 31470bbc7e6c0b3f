//! The directory that all sandboxes of one server live in. Its layout is told in `lib.rs`.

use std::collections::hash_map::DefaultHasher;
use std::fs::{self, File};
use std::hash::{Hash, Hasher};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use rustix::fs::{
    FlockOperation, Gid, Mode as FileMode, OFlags, Uid, flock, mkdirat, openat, syncfs,
};

use super::HostOptions;
use super::archive_record::ArchiveRecord;
use super::disks::{Bound, open_files};
use super::removal::remove_each;
use super::root_record;
use super::user_ids::{self, UserIds};
use crate::disk;
use crate::error::Unavailable;
use crate::name::SandboxName;

const LAYOUT_FILE: &str = "layout";
const LAYOUT: &str = "1\n";
/// What belongs to the root of the sandbox.
pub(crate) const INSIDE: &[&str] = &["workspace", "outputs", "uploads", "home", "upper", "work"];
/// What the sandbox writes, in its directory or in its image.
const WRITTEN: &[&str] = &["workspace", "outputs", "home", "upper", "work"];
/// What the sandbox's root has and nobody inside writes.
const UPLOADS: &str = "uploads";
/// What belongs to the server.
const OUTSIDE: &[&str] = &["root", "tool_outputs"];

pub(super) struct StateDir {
    root: PathBuf,
    /// Locked as long as this exists: two servers must not manage the same sandboxes.
    lock: File,
    thrown_away: AtomicU64,
    has_trash: AtomicBool,
    /// Held by whoever empties the trash: two at once would take names from each other.
    emptying: Mutex<()>,
    user_ids: UserIds,
    bound: Bound,
}

/// A sandbox's directories that are there, whole.
pub(super) struct Prepared {
    pub(super) files: Files,
    /// Where it writes: open, so that an image is mounted once for all that follows.
    pub(super) written: OwnedFd,
}

/// Directories of a sandbox that is not one yet.
pub(super) struct Draft {
    pub(super) place: PathBuf,
    /// The first of the ids of its files.
    pub(super) owner: Option<u32>,
    pub(super) written: OwnedFd,
}

/// Whether the files of a sandbox were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    New,
    Kept,
}

impl StateDir {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)?;
        let root = fs::canonicalize(path)?;
        if root.to_str().is_none() {
            return Err(io::Error::other("its path is not UTF-8"));
        }
        let owner = fs::metadata(&root)?.uid();
        if owner != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(format!("it belongs to uid {owner}")));
        }
        fs::set_permissions(&root, fs::Permissions::from_mode(0o700))?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(root.join("lock"))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::AGAIN => io::Error::other("another server uses it"),
            error => error.into(),
        })?;
        let state = Self {
            root,
            lock,
            thrown_away: AtomicU64::new(0),
            has_trash: AtomicBool::new(false),
            emptying: Mutex::default(),
            user_ids: UserIds::default(),
            bound: Bound::PerFile,
        };
        let folders = [
            state.boxes(),
            state.trash(),
            state.drafts(),
            state.pool(),
            state.layers(),
            state.trees(),
            state.templates(),
        ];
        for directory in folders {
            make_directory(&directory, 0o700)?;
        }
        let emptied = remove_each(&state.drafts(), user_ids::LAST_FILE);
        if let Err(error) = emptied.and_then(|()| state.empty_trash()) {
            // It is only rubbish: no reason not to start.
            tracing::warn!(%error, "what was thrown away cannot be deleted");
        }
        let folders = [state.boxes(), state.pool(), state.trash(), state.drafts()];
        state.user_ids.learn(&folders)?;
        Ok(state)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Finds out how the disks of new sandboxes are bounded from here on.
    pub(super) fn choose_bound(&mut self, options: &HostOptions) -> Result<(), Unavailable> {
        let trial = self.drafts().join("disk");
        self.bound = Bound::choose(options, &self.templates(), &trial)?;
        Ok(())
    }

    fn boxes(&self) -> PathBuf {
        boxes_of(&self.root)
    }

    fn drafts(&self) -> PathBuf {
        self.root.join("drafts")
    }

    fn pool(&self) -> PathBuf {
        pool_of(&self.root)
    }

    fn trash(&self) -> PathBuf {
        self.root.join("trash")
    }

    fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    pub(super) fn layers(&self) -> PathBuf {
        self.root.join("layers")
    }

    pub(super) fn layer(&self, key: &SandboxName) -> PathBuf {
        self.layers().join(key.as_str())
    }

    pub(super) fn trees(&self) -> PathBuf {
        self.root.join("trees")
    }

    pub(super) fn tree(&self, key: &SandboxName) -> PathBuf {
        self.trees().join(key.as_str())
    }

    pub(super) fn directory_of(&self, name: &SandboxName) -> PathBuf {
        self.boxes().join(name.as_str())
    }

    /// The directory of one that is nobody's yet.
    pub(super) fn pooled(&self, label: &SandboxName) -> PathBuf {
        self.pool().join(label.as_str())
    }

    /// The name of the cgroups of a sandbox, and of its container: other servers on this host
    /// have others.
    pub(super) fn cgroup_name(&self, name: &SandboxName) -> String {
        format!("{}{name}", self.cgroup_prefix())
    }

    /// What the names of the cgroups of all sandboxes of this directory begin with.
    pub(super) fn cgroup_prefix(&self) -> String {
        format!("hostler-{}-", self.unique_label())
    }

    /// What tells this state directory from others on this host.
    pub(super) fn unique_label(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.root.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// The program that containers run.
    pub(super) fn program_directory(&self) -> PathBuf {
        self.root.join("program")
    }

    pub(super) fn names(&self) -> io::Result<Vec<SandboxName>> {
        names_in(&self.boxes())
    }

    pub(super) fn pooled_labels(&self) -> io::Result<Vec<SandboxName>> {
        names_in(&self.pool())
    }

    /// Makes the directories of a sandbox, or finds them in order. One that is half-made or
    /// damaged is thrown away whole. With a base, it gets a range of ids at or above that.
    pub(super) fn prepare(
        &self,
        name: &SandboxName,
        uid_base: Option<u32>,
    ) -> io::Result<Prepared> {
        let directory = self.directory_of(name);
        if is_laid_out(&directory) {
            check_owner(&directory, uid_base)?;
            return Ok(Prepared {
                files: Files::Kept,
                written: open_files(&directory)?,
            });
        }
        self.throw_away(name)?;
        let draft = self.lay_out(directory, uid_base)?;
        finish(&draft.place, None)?;
        Ok(Prepared {
            files: Files::New,
            written: draft.written,
        })
    }

    /// All directories of a sandbox, which is not one before [`finish`].
    fn lay_out(&self, place: PathBuf, uid_base: Option<u32>) -> io::Result<Draft> {
        let directory = place.as_path();
        make_directory(directory, 0o700)?;
        let owner = match uid_base {
            Some(base) => Some(self.user_ids.give(base, directory)?),
            None => None,
        };
        for name in OUTSIDE {
            make_directory(&directory.join(name), 0o700)?;
        }
        ArchiveRecord::begin(directory)?;
        match &self.bound {
            Bound::PerFile => {}
            Bound::Image(template) => {
                make_directory(&directory.join(disk::MOUNT_POINT), 0o700)?;
                template.copy_to(directory)?;
            }
        }
        let written = open_files(directory)?;
        for name in WRITTEN {
            make_for(owner, &written, name)?;
        }
        make_for(owner, &open_directory(directory)?, UPLOADS)?;
        Ok(Draft {
            place,
            owner,
            written,
        })
    }

    /// All that a sandbox has before its processes, for one that is nobody's yet.
    pub(super) fn begin_pooled(
        &self,
        place: PathBuf,
        uid_base: Option<u32>,
    ) -> io::Result<OwnedFd> {
        let draft = self.lay_out(place, uid_base)?;
        finish(&draft.place, None)?;
        Ok(draft.written)
    }

    /// From here on it is the sandbox of this name, which has no directory, and was begun now.
    pub(super) fn claim_pooled(&self, label: &SandboxName, name: &SandboxName) -> io::Result<()> {
        let place = self.pooled(label);
        finish(&place, None)?;
        fs::rename(place, self.directory_of(name))
    }

    pub(super) fn throw_away_pooled(&self, label: &SandboxName) -> io::Result<()> {
        let place = self.pooled(label);
        self.move_to_trash(&place, label.as_str(), range_of(&place))
    }

    /// A place to make a sandbox in that nobody finds before it is complete. One that never is goes
    /// with the next start.
    pub(super) fn draft(&self, name: &SandboxName, uid_base: Option<u32>) -> io::Result<Draft> {
        self.throw_away_draft(name)?;
        self.lay_out(self.drafts().join(name.as_str()), uid_base)
    }

    /// The draft takes the place of the sandbox.
    pub(super) fn publish(
        &self,
        name: &SandboxName,
        draft: Draft,
        created_at: SystemTime,
    ) -> io::Result<()> {
        finish(&draft.place, Some(created_at))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        syncfs(openat(&draft.written, ".", flags, FileMode::empty())?)?;
        syncfs(File::open(&draft.place)?)?;
        self.throw_away(name)?;
        fs::rename(draft.place, self.directory_of(name))
    }

    /// The same for one that is made for a moment: it need not outlive the machine.
    pub(super) fn publish_briefly(&self, name: &SandboxName, draft: Draft) -> io::Result<()> {
        finish(&draft.place, None)?;
        self.throw_away(name)?;
        fs::rename(draft.place, self.directory_of(name))
    }

    /// An empty directory for a copy of a sandbox's files, beside what it is copied for.
    pub(super) fn place_for_copy(&self, name: &SandboxName) -> io::Result<PathBuf> {
        self.throw_away_draft(name)?;
        let place = self.drafts().join(name.as_str());
        make_directory(&place, 0o700)?;
        Ok(place)
    }

    pub(super) fn throw_away_draft(&self, name: &SandboxName) -> io::Result<()> {
        let draft = self.drafts().join(name.as_str());
        self.move_to_trash(&draft, name.as_str(), range_of(&draft))
    }

    /// Takes a sandbox's directory out of the way; [`StateDir::empty_trash`] deletes it.
    pub(super) fn throw_away(&self, name: &SandboxName) -> io::Result<()> {
        let directory = self.directory_of(name);
        self.move_to_trash(&directory, name.as_str(), range_of(&directory))
    }

    pub(super) fn throw_away_layer(&self, layer: &Path) -> io::Result<()> {
        self.move_to_trash(layer, "layer", None)
    }

    pub(super) fn throw_away_tree(&self, tree: &Path) -> io::Result<()> {
        self.move_to_trash(tree, "tree", None)
    }

    /// `range` is that of the files, if they have one. **Invariant:** it is never read from what a
    /// sandbox wrote itself.
    fn move_to_trash(&self, directory: &Path, name: &str, range: Option<u32>) -> io::Result<()> {
        loop {
            let number = self.thrown_away.fetch_add(1, Ordering::Relaxed);
            let place = self.trash().join(format!("{name}.{number}"));
            if fs::symlink_metadata(&place).is_ok() {
                continue;
            }
            return match fs::rename(directory, place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
                Ok(()) => {
                    // Only now: a range of files that are not in the trash is not freed with it.
                    self.user_ids.thrown_away(range);
                    self.has_trash.store(true, Ordering::Release);
                    Ok(())
                }
            };
        }
    }

    pub(super) fn has_trash(&self) -> bool {
        self.has_trash.load(Ordering::Acquire)
    }

    /// Deletes what was thrown away, also before a crash.
    pub(super) fn empty_trash(&self) -> io::Result<()> {
        let _alone = self.emptying.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the work: what comes meanwhile may be seen too late.
        self.has_trash.store(false, Ordering::Release);
        self.user_ids
            .free_after(|| remove_each(&self.trash(), user_ids::LAST_FILE))
    }
}

impl Drop for StateDir {
    /// Closing the file is not enough: a launcher between its fork and its exec holds it too.
    fn drop(&mut self) {
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}

/// Of the directory of a sandbox. A record that cannot be read keeps its range taken.
fn range_of(directory: &Path) -> Option<u32> {
    user_ids::of(directory).ok().flatten()
}

/// Last: with this file, everything is there.
fn finish(directory: &Path, created_at: Option<SystemTime>) -> io::Result<()> {
    let mut layout = File::create(directory.join(LAYOUT_FILE))?;
    layout.write_all(LAYOUT.as_bytes())?;
    match created_at {
        Some(created_at) => layout.set_modified(created_at),
        None => Ok(()),
    }
}

/// When a sandbox's files were begun: its layout is written once.
pub(super) fn created_at(directory: &Path) -> io::Result<SystemTime> {
    fs::symlink_metadata(directory.join(LAYOUT_FILE))?.modified()
}

/// Where the directories of the sandboxes are, each under its name.
pub(super) fn boxes_of(root: &Path) -> PathBuf {
    root.join("boxes")
}

/// Where the directories of those are that are nobody's yet, each under its label.
pub(super) fn pool_of(root: &Path) -> PathBuf {
    root.join("pool")
}

/// Where this one is, by its name or by its label.
pub(super) fn place_of(root: &Path, name: &SandboxName) -> PathBuf {
    let pooled = pool_of(root).join(name.as_str());
    match pooled.is_dir() {
        true => pooled,
        false => boxes_of(root).join(name.as_str()),
    }
}

/// The names of the directories in one that may not be there, in order.
pub(super) fn names_in(folder: &Path) -> io::Result<Vec<SandboxName>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        names.extend(name.to_str().and_then(|name| name.parse().ok()));
    }
    names.sort();
    Ok(names)
}

/// A descriptor of a sandbox's directory, to reach its socket through.
pub(crate) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, FileMode::empty())?)
}

pub(super) fn is_laid_out(directory: &Path) -> bool {
    let is_directory = |path: &Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_dir());
    let is_there = |names: &[&str]| names.iter().all(|name| is_directory(&directory.join(name)));
    let has_files = match disk::has_image(directory) {
        true => {
            is_there(&[disk::MOUNT_POINT])
                && disk::was_written(&directory.join(disk::IMAGE_FILE)).unwrap_or(true)
        }
        false => is_there(WRITTEN),
    };
    is_directory(directory)
        && fs::symlink_metadata(directory.join(LAYOUT_FILE)).is_ok_and(|found| found.is_file())
        && fs::read_to_string(directory.join(LAYOUT_FILE)).is_ok_and(|text| text == LAYOUT)
        && is_there(OUTSIDE)
        && is_there(&[UPLOADS])
        && has_files
        && !root_record::is_lost(directory)
}

/// Files made under other settings are not damaged: they are left alone and it is said.
fn check_owner(directory: &Path, uid_base: Option<u32>) -> io::Result<()> {
    if uid_base.is_none() {
        return Ok(());
    }
    let owner = user_ids::of(directory)?;
    let found = fs::symlink_metadata(directory.join(UPLOADS))?.uid();
    if Some(found) == owner {
        return Ok(());
    }
    let expected = owner.map_or("a range of its own".to_owned(), |owner| owner.to_string());
    Err(io::Error::other(format!(
        "its files belong to uid {found} and not to {expected}: it was made under another uid base"
    )))
}

/// A directory that the sandbox's root owns, where ids are given.
fn make_for(owner: Option<u32>, parent: &OwnedFd, name: &str) -> io::Result<()> {
    let mode = FileMode::from_raw_mode(0o755);
    mkdirat(parent, name, mode)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let made = openat(parent, name, flags, FileMode::empty())?;
    // Whatever the umask took away comes back.
    rustix::fs::fchmod(&made, mode)?;
    let (uid, gid) = (owner.map(Uid::from_raw), owner.map(Gid::from_raw));
    Ok(rustix::fs::fchown(&made, uid, gid)?)
}

pub(crate) fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
        // Whatever the umask took away comes back.
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
    }
}
