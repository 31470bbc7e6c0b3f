//! From one file system to another, where a rename does not lead.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::Mode;

use super::pack::{Bases, pack_tree};
use super::unpack::unpack;
use super::{Halves, TREES};

/// Copies `tree`, one of the directories in `written`, to the same name below `place`, an empty
/// directory. Its owners count from 0 there.
pub(crate) fn copy_tree(
    written: BorrowedFd<'_>,
    tree: &str,
    bases: Bases,
    place: &OwnedFd,
) -> io::Result<()> {
    for name in TREES {
        rustix::fs::mkdirat(place, *name, Mode::RWXU)?;
    }
    let halves = Halves {
        about: place.as_fd(),
        written: place.as_fd(),
    };
    let (reader, writer) = io::pipe()?;
    std::thread::scope(|scope| {
        let packing = scope.spawn(move || pack_tree(written, tree, bases, writer));
        // An error here closes the pipe, and with that ends the other side.
        let unpacked = unpack(halves, Some(0), reader);
        let packed = packing.join();
        let packed = packed.map_err(|_| io::Error::other("the thread that reads has panicked"))?;
        match packed {
            // The other side has the cause of it.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
            Err(_) | Ok(()) => unpacked.map(drop),
        }
    })
}
