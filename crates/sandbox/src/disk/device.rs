//! The loop device of an image: the one that it has, or a new one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{DEVICE_FILE, IMAGE_FILE};
use crate::limits::LOOP_DEVICE_ATTEMPTS_MAX;
use crate::sys::loops::{Backing, backing_of_loop_device, configure_loop_device, free_loop_device};

/// As long as this is open, the device keeps its file.
pub(super) struct Device {
    pub(super) path: PathBuf,
    _open: File,
}

/// The device that has the image of `directory`, which gets one if it has none.
pub(super) fn with_image(directory: &Path) -> io::Result<Device> {
    // One that lets go of the image right now is neither found nor out of the way at once.
    for _ in 0..LOOP_DEVICE_ATTEMPTS_MAX {
        let image = open_image(directory)?;
        match flock(&image, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return attach(directory, &image),
            Err(Errno::AGAIN) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(device) = found(directory, &image)? {
            return Ok(device);
        }
        std::thread::yield_now();
    }
    Err(io::Error::other(
        "its image is locked, and behind no device that can be found",
    ))
}

/// The device that has the image, if one has.
pub(super) fn that_has_image(directory: &Path) -> io::Result<Option<Device>> {
    let image = open_image(directory)?;
    // A shared lock is in nobody's way but that of an attaching, which then tries again.
    match flock(&image, FlockOperation::NonBlockingLockShared) {
        Ok(()) => Ok(None),
        Err(Errno::AGAIN) => found(directory, &image),
        Err(error) => Err(error.into()),
    }
}

fn open_image(directory: &Path) -> io::Result<File> {
    let mut options = File::options();
    options
        .read(true)
        .write(true)
        .open(directory.join(IMAGE_FILE))
}

/// The image is locked by its opening, which the device keeps.
fn attach(directory: &Path, image: &File) -> io::Result<Device> {
    let mut options = File::options();
    options.read(true).write(true);
    let control = options.open("/dev/loop-control")?;
    for _ in 0..LOOP_DEVICE_ATTEMPTS_MAX {
        let number = free_loop_device(&control)?;
        let path = device_path(number);
        let writable = options.open(&path)?;
        match configure_loop_device(&writable, image) {
            Ok(()) => {
                fs::write(directory.join(DEVICE_FILE), number.to_string())?;
                // Some kernels mount nothing that somebody else could write to.
                let _open = File::open(&path)?;
                return Ok(Device { path, _open });
            }
            // Somebody else was given the same one, and was quicker.
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Errno::BUSY.into())
}

fn found(directory: &Path, image: &File) -> io::Result<Option<Device>> {
    let found = image.metadata()?;
    let backing = Backing {
        device: found.dev(),
        inode: found.ino(),
    };
    let hint = fs::read_to_string(directory.join(DEVICE_FILE));
    if let Some(number) = hint.ok().and_then(|text| text.parse().ok())
        && let Some(device) = if_it_has(number, backing)?
    {
        return Ok(Some(device));
    }
    for entry in fs::read_dir("/sys/block")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix("loop"));
        if let Some(number) = number.and_then(|number| number.parse().ok())
            && let Some(device) = if_it_has(number, backing)?
        {
            return Ok(Some(device));
        }
    }
    Ok(None)
}

/// It is open while it is looked at, so that it still has the file afterwards.
fn if_it_has(number: u32, backing: Backing) -> io::Result<Option<Device>> {
    let path = device_path(number);
    let device = match File::open(&path) {
        Ok(device) => device,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Ok(None),
        Err(error) => return Err(error),
    };
    let has_it = backing_of_loop_device(&device)? == Some(backing);
    Ok(has_it.then_some(Device {
        path,
        _open: device,
    }))
}

fn device_path(number: u32) -> PathBuf {
    format!("/dev/loop{number}").into()
}
