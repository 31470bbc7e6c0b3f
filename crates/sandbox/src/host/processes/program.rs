//! The program that runs in a container or a pod as its first process: this one, with the loader and the
//! libraries that it needs. An image may have others, older ones, or none.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::container::PROGRAM_DIRECTORY;
use crate::host::removal::remove_tree;
use crate::inside::network::NAME_SERVER_LINE;
use crate::limits::{LIBRARIES_MAX, LIBRARY_LIST_BYTES_MAX, LOADER_PATH_BYTES_MAX};

const PROGRAM: &str = "hostler";
const LOADER: &str = "loader";
pub(super) const HOSTS_FILE: &str = "hosts";
pub(super) const RESOLVER_FILE: &str = "resolv.conf";
pub(super) const NO_RESOLVER_FILE: &str = "resolv.conf.none";
/// Beside it, for `/etc`.
const FILES: &[(&str, &str)] = &[
    (HOSTS_FILE, "127.0.0.1 localhost sandbox\n::1 localhost\n"),
    (RESOLVER_FILE, NAME_SERVER_LINE),
    (NO_RESOLVER_FILE, "# This sandbox has no network.\n"),
];

/// Puts everything into `directory`, anew, and gives the words that start it inside. Containers
/// that run on what was there before go on: they hold the files, not the names.
pub(crate) fn prepare(launcher: &Path, directory: &Path) -> io::Result<Vec<String>> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => remove_tree(directory)?,
        made => made?,
    }
    for (name, text) in FILES {
        let path = directory.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))?;
    }
    let launcher = fs::canonicalize(launcher)?;
    place(&launcher, &directory.join(PROGRAM))?;
    if let Some(loader) = loader_of(&launcher)? {
        place(&fs::canonicalize(&loader)?, &directory.join(LOADER))?;
        for library in libraries(&loader, &launcher)? {
            let name = library.file_name().ok_or(io::ErrorKind::InvalidData)?;
            place(&fs::canonicalize(&library)?, &directory.join(name))?;
        }
    }
    words(&launcher)
}

/// What starts the program where [`prepare`] has put it, before its subcommand.
pub(super) fn words(launcher: &Path) -> io::Result<Vec<String>> {
    let program = format!("{PROGRAM_DIRECTORY}/{PROGRAM}");
    if loader_of(launcher)?.is_none() {
        return Ok(vec![program]);
    }
    Ok(vec![
        format!("{PROGRAM_DIRECTORY}/{LOADER}"),
        "--library-path".to_owned(),
        PROGRAM_DIRECTORY.to_owned(),
        program,
    ])
}

/// A second name where that is possible, else a copy: another file system, or another owner.
fn place(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(_) => fs::copy(from, to).map(drop),
        Ok(()) => Ok(()),
    }
}

/// Asks the loader, which knows how it looks for them. It runs nothing of the program.
fn libraries(loader: &Path, program: &Path) -> io::Result<Vec<PathBuf>> {
    let mut child = Command::new(loader)
        .arg("--list")
        .arg(program)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut list = String::new();
    if let Some(output) = child.stdout.take() {
        let read = output
            .take(LIBRARY_LIST_BYTES_MAX)
            .read_to_string(&mut list);
        // Ended in any case, so that it is not left behind.
        let ended = child.wait();
        read?;
        if !ended?.success() {
            return Err(io::Error::other(format!(
                "{} cannot list the libraries of {}",
                loader.display(),
                program.display()
            )));
        }
    }
    // `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`; the kernel's own has no path.
    let paths = list.lines().filter_map(|line| {
        let (_, found) = line.split_once("=> ")?;
        let path = found
            .split(' ')
            .next()
            .filter(|path| path.starts_with('/'))?;
        Some(PathBuf::from(path))
    });
    Ok(paths.take(LIBRARIES_MAX).collect())
}

/// The program header of a dynamic executable that names its loader (`PT_INTERP`), if there is one.
fn loader_of(program: &Path) -> io::Result<Option<PathBuf>> {
    let file = fs::File::open(program)?;
    let odd = || io::Error::other(format!("{} is no 64-bit ELF program", program.display()));
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0)?;
    if !header.starts_with(b"\x7fELF\x02") {
        return Err(odd());
    }
    let table = word(&header, 32).ok_or_else(odd)?;
    let size = half(&header, 54).ok_or_else(odd)?;
    let count = half(&header, 56).ok_or_else(odd)?;
    for number in 0..count {
        let mut entry = [0; 56];
        let offset = u64::from(number) * u64::from(size);
        file.read_exact_at(&mut entry, table.checked_add(offset).ok_or_else(odd)?)?;
        if entry[..4] != PT_INTERP {
            continue;
        }
        let offset = word(&entry, 8).ok_or_else(odd)?;
        let length = word(&entry, 32).and_then(|length| usize::try_from(length).ok());
        let length = length.filter(|length| (2..=LOADER_PATH_BYTES_MAX).contains(length));
        let mut path = vec![0; length.ok_or_else(odd)?];
        file.read_exact_at(&mut path, offset)?;
        let path = path.split(|byte| *byte == 0).next().unwrap_or_default();
        let path = std::str::from_utf8(path).map_err(|_| odd())?;
        return Ok(Some(path.into()));
    }
    Ok(None)
}

const PT_INTERP: [u8; 4] = 3_u32.to_ne_bytes();

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?.try_into().ok()?;
    Some(u64::from_ne_bytes(bytes))
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(u16::from_ne_bytes(bytes))
}
