//! The files of the sandbox, for the server: what it does with them on its own disk elsewhere.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::fs::{AtFlags, fstat, statat};

use crate::agent::shell_memory::SHELL_MEMORY_NAME;
use crate::archive::{Bases, Halves, pack, unpack};
use crate::host::beneath::is_regular;
use crate::host::{FilesHere, Upload, box_files, open_directory};
use crate::limits::RESPONSE_BYTES_MAX;
use crate::pod::{ChunkReader, ChunkWriter, KeeperAnswer, KeeperRequest, MEMORY};
use crate::wire::write_frame;

/// Does what is asked and answers. An error is one of the connection.
pub(super) fn answer(
    request: KeeperRequest,
    mut stream: UnixStream,
    place: &Path,
) -> io::Result<()> {
    let done = work(request, &stream, place);
    let answered = done.unwrap_or_else(|error| {
        Some(KeeperAnswer::Failed {
            reason: error.to_string(),
        })
    });
    match answered {
        Some(answer) => say(&mut stream, &answer),
        None => Ok(()),
    }
}

fn say(stream: &mut impl Write, answer: &KeeperAnswer) -> io::Result<()> {
    write_frame(stream, answer, RESPONSE_BYTES_MAX)
}

/// `None`: the answer was given, with what follows it.
fn work(
    request: KeeperRequest,
    stream: &UnixStream,
    place: &Path,
) -> io::Result<Option<KeeperAnswer>> {
    let directory = open_directory(place)?;
    match request {
        // Such a connection belongs to the agent.
        KeeperRequest::Agent => Ok(None),
        KeeperRequest::KeepUploads { wanted } => {
            let missing = box_files::keep_uploads(&directory, wanted)?;
            Ok(Some(KeeperAnswer::Missing(missing)))
        }
        KeeperRequest::PlaceUpload { upload } => {
            place_upload(&directory, &upload, stream)?;
            Ok(Some(KeeperAnswer::Done))
        }
        KeeperRequest::LinkInWorkspace { upload } => {
            box_files::link_in_workspace(&directory, &upload)?;
            Ok(Some(KeeperAnswer::Done))
        }
        KeeperRequest::ScanOutputs => {
            let scan = outputs(place)?.walk()?;
            Ok(Some(KeeperAnswer::Outputs(scan)))
        }
        KeeperRequest::ReadOutput { path } => read_output(place, &path, stream),
        KeeperRequest::Pack => {
            pack_box(&directory, stream)?;
            Ok(None)
        }
        KeeperRequest::Unpack => {
            let mut chunks = ChunkReader::new(stream);
            unpack(Halves::in_one(directory.as_fd()), None, &mut chunks)?;
            move_memory(&directory, SHELL_MEMORY_NAME, &in_memory())?;
            Ok(Some(KeeperAnswer::Done))
        }
    }
}

fn place_upload(directory: &OwnedFd, upload: &Upload, stream: &UnixStream) -> io::Result<()> {
    let mut partial = File::from(box_files::begin_upload(directory)?);
    // One byte more than there should be is as wrong as a thousand.
    let mut content = ChunkReader::new(stream).take(upload.size.saturating_add(1));
    let written = io::copy(&mut content, &mut partial)?;
    if written != upload.size {
        return Err(io::Error::other(format!(
            "{} has {written} bytes, or more, where {} were promised",
            upload.path, upload.size
        )));
    }
    box_files::finish_upload(directory, &partial, upload)
}

fn outputs(place: &Path) -> io::Result<FilesHere> {
    FilesHere::open(place)?.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn read_output(
    place: &Path,
    path: &str,
    mut stream: &UnixStream,
) -> io::Result<Option<KeeperAnswer>> {
    let (mut file, found) = match outputs(place)?.open_file(path) {
        Ok(opened) => opened,
        Err(why) => return Ok(Some(KeeperAnswer::NoOutput(why))),
    };
    say(&mut stream, &KeeperAnswer::Output(found))?;
    let mut chunks = ChunkWriter(stream);
    // It may have grown since it was looked at, and may be growing.
    io::copy(&mut (&mut file).take(found.size), &mut chunks)?;
    chunks.finish()?;
    Ok(None)
}

/// An archive that ends too soon is refused by the server.
fn pack_box(directory: &OwnedFd, mut stream: &UnixStream) -> io::Result<()> {
    let found = statat(directory, in_memory(), AtFlags::SYMLINK_NOFOLLOW);
    // Commands could put something else there, which is worth nothing.
    if found.is_ok_and(|found| is_regular(&found)) {
        move_memory(directory, &in_memory(), SHELL_MEMORY_NAME)?;
    }
    let owner = fstat(directory)?;
    let bases = Bases {
        uid: rustix::process::geteuid().as_raw(),
        gid: owner.st_gid,
    };
    say(&mut stream, &KeeperAnswer::Archive)?;
    let mut chunks = ChunkWriter(stream);
    pack(
        Halves::in_one(directory.as_fd()),
        bases,
        &mut chunks,
        &|| Ok(()),
    )?;
    chunks.finish()?;
    Ok(())
}

fn in_memory() -> String {
    format!("{MEMORY}/{SHELL_MEMORY_NAME}")
}

/// In an archive it lies beside the directories. Inside, it has one of its own to be mounted.
fn move_memory(directory: &OwnedFd, from: &str, to: &str) -> io::Result<()> {
    match rustix::fs::renameat(directory, from, directory, to) {
        Err(rustix::io::Errno::NOENT) => Ok(()),
        moved => Ok(moved?),
    }
}
