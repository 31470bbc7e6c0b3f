//! Block devices that are files, and the end of a file system that nobody wants any more.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

const LOOP_CONFIGURE: libc::c_ulong = 0x4c0a;
const LOOP_GET_STATUS64: libc::c_ulong = 0x4c05;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4c82;
/// `_IOR('X', 125, __u32)`, which ext4 and others share.
const FS_IOC_SHUTDOWN: libc::c_ulong = 0x8004_587d;
const SHUTDOWN_WITHOUT_FLUSH: u32 = 2;
/// The device lets go of its file when nobody has it open or mounted any more.
const LO_FLAGS_AUTOCLEAR: u32 = 4;

/// `struct loop_info64`, which the C library's crate does not have.
#[repr(C)]
struct LoopInfo {
    device: u64,
    inode: u64,
    rdevice: u64,
    offset: u64,
    sizelimit: u64,
    number: u32,
    encrypt_type: u32,
    encrypt_key_size: u32,
    flags: u32,
    file_name: [u8; 64],
    crypt_name: [u8; 64],
    encrypt_key: [u8; 32],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    info: LoopInfo,
    reserved: [u64; 8],
}

/// The file behind a loop device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Backing {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

/// The number of a loop device that has no file. By the time it is used, another may have it.
pub(crate) fn free_loop_device(control: &File) -> io::Result<u32> {
    // SAFETY: this request takes no argument.
    let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
    u32::try_from(number).map_err(|_| io::Error::last_os_error())
}

/// Puts `image` behind `device` until nobody uses that any more. What is open there is this
/// very opening of the file, with its locks.
pub(crate) fn configure_loop_device(device: &File, image: &File) -> io::Result<()> {
    // SAFETY: both structures are plain integers, for which zero is valid and means "default".
    let mut config: LoopConfig = unsafe { std::mem::zeroed() };
    config.fd = u32::try_from(image.as_raw_fd()).map_err(io::Error::other)?;
    config.info.flags = LO_FLAGS_AUTOCLEAR;
    // SAFETY: the structure has the layout that the request reads, and lives through the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) };
    done(result)
}

/// `Ok(None)`: the device has no file.
pub(crate) fn backing_of_loop_device(device: &File) -> io::Result<Option<Backing>> {
    // SAFETY: plain integers, for which zero is valid; the request fills them in.
    let mut info: LoopInfo = unsafe { std::mem::zeroed() };
    // SAFETY: the structure has the layout that the request writes, and lives through the call.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_GET_STATUS64, &raw mut info) };
    match done(result) {
        Ok(()) => Ok(Some(Backing {
            device: info.device,
            inode: info.inode,
        })),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(None),
        Err(error) => Err(error),
    }
}

/// From here on the file system of `directory` takes and writes nothing. What was not written yet
/// never is.
pub(crate) fn shut_down_file_system(directory: BorrowedFd<'_>) -> io::Result<()> {
    let how: u32 = SHUTDOWN_WITHOUT_FLUSH;
    // SAFETY: the request reads one integer, which lives through the call.
    let result = unsafe { libc::ioctl(directory.as_raw_fd(), FS_IOC_SHUTDOWN, &raw const how) };
    done(result)
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
