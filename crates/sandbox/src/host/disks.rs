//! How the disks of new sandboxes are bounded here, and the files of sandboxes that are there,
//! whichever way theirs is.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use super::state_dir::open_directory;
use super::{Backend, HostOptions};
use crate::disk::{self, DiskChoice, DiskFiles, Template};
use crate::error::{SandboxError, Unavailable};
use crate::isolation::Mode;
use crate::launcher::order::FilesIn;

pub(super) enum Bound {
    /// A limit of the processes, if any: nothing is done about files.
    PerFile,
    Image(Template),
}

impl Bound {
    /// Makes an image, mounts and deletes it, since nothing else proves that it can be done.
    /// `templates` and `trial` are folders for this.
    pub(super) fn choose(
        options: &HostOptions,
        templates: &Path,
        trial: &Path,
    ) -> Result<Self, Unavailable> {
        let image = match options.disk {
            DiskChoice::PerFile => return Ok(Self::PerFile),
            DiskChoice::Auto | DiskChoice::Image => try_image(options, templates, trial),
        };
        match (image, options.disk) {
            (Ok(template), _) => Ok(Self::Image(template)),
            (Err(reason), DiskChoice::Image) => Err(Unavailable {
                reason: format!("no image can bound the disk of a sandbox: {reason}"),
                hint: "run the server as root on a machine that gives it loop devices, with \
                       e2fsprogs, or set sandbox.disk to \"auto\" or \"per-file\""
                    .to_owned(),
            }),
            (Err(reason), DiskChoice::Auto | DiskChoice::PerFile) => {
                tracing::info!(%reason, "the disk of a sandbox is not bounded as a whole");
                Ok(Self::PerFile)
            }
        }
    }
}

fn try_image(options: &HostOptions, templates: &Path, trial: &Path) -> Result<Template, String> {
    match options.backend {
        Backend::Local => {}
        Backend::UnsafeProcess | Backend::Docker(_) | Backend::Kubernetes(_) => {
            return Err("only an isolated sandbox can have one".to_owned());
        }
    }
    if !rustix::process::geteuid().is_root() {
        return Err("the server is not root".to_owned());
    }
    let Some(bytes) = options.limits.disk_bytes else {
        return Err("no bound was set".to_owned());
    };
    let tried = || {
        let template = Template::prepare(templates, bytes, options.limits.disk_files)?;
        fs::create_dir(trial)?;
        template.copy_to(trial)?;
        let files = disk::open(trial)?;
        files.abandon()?;
        drop(files);
        fs::remove_dir_all(trial)?;
        Ok(template)
    };
    tried().map_err(|error: io::Error| error.to_string())
}

/// Where the sandbox in `directory` has what it writes, if processes of this mode can get there.
pub(super) fn files_in(directory: &Path, mode: Mode) -> Result<FilesIn, SandboxError> {
    match (disk::has_image(directory), mode) {
        (false, _) => Ok(FilesIn::Directory),
        (true, Mode::Isolated) => Ok(FilesIn::Image),
        (true, Mode::Container | Mode::Pod | Mode::UnsafeProcess) => {
            Err(SandboxError::Unavailable {
                reason: "its files are in an image, which only an isolated sandbox can have: set \
                     sandbox.mode to \"isolated\" again"
                    .to_owned(),
            })
        }
    }
}

/// The directory that holds what the sandbox in `directory` writes. An image is mounted as long as
/// this is open, or anything in it.
pub(super) fn open_files(directory: &Path) -> io::Result<OwnedFd> {
    if !disk::has_image(directory) {
        return open_directory(directory);
    }
    match disk::open(directory) {
        Ok(files) => Ok(files.into_descriptor()),
        Err(error) => Err(io::Error::other(format!("mount its disk: {error}"))),
    }
}

/// As long as this is open, the image in `directory` stays mounted if it is: the end of the
/// sandbox's last process has nothing to write.
pub(super) fn keep_mounted(directory: &Path) -> Option<DiskFiles> {
    disk::attached(directory).ok().flatten()
}
