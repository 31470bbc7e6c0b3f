//! What a shell leaves to the next one, in a file that only the agent has open.
//!
//! The text comes from a shell of this sandbox and goes to a shell of this sandbox. The host
//! stores it and never looks inside.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use crate::limits::SHELL_STATE_BYTES_MAX;

/// The file, in the sandbox's directory on the host.
pub(crate) const SHELL_MEMORY_NAME: &str = "shell_state";

const MAGIC: &str = "hostler shell 1";
const HEADER_BYTES: usize = 40;

/// Opened before the sandbox closes itself off: no path inside leads to the file.
pub(crate) struct ShellMemory(File);

/// How a shell was left. The last two parts run after the first, since they decide how commands
/// behave.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ShellState {
    /// Commands that set variables, functions and aliases.
    pub(super) definitions: Vec<u8>,
    /// The name of the working directory.
    pub(super) directory: Vec<u8>,
    /// Commands that set the shell's options.
    pub(super) options: Vec<u8>,
}

impl ShellMemory {
    /// In the working directory, which is that of the sandbox on the host.
    pub(crate) fn open() -> io::Result<Self> {
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        Ok(Self(options.mode(0o600).open(SHELL_MEMORY_NAME)?))
    }

    /// A crash on the way leaves a file without a header, which counts as empty.
    pub(super) fn keep(&self, state: &[u8]) -> io::Result<()> {
        self.forget()?;
        self.0.write_all_at(state, HEADER_BYTES as u64)?;
        self.0.write_all_at(&header(state.len()), 0)
    }

    pub(super) fn forget(&self) -> io::Result<()> {
        self.0.set_len(0)
    }

    /// Gives what was kept, once. `Ok(None)`: nothing was.
    pub(super) fn take(&self) -> io::Result<Option<ShellState>> {
        let length = usize::try_from(self.0.metadata()?.len()).unwrap_or(usize::MAX);
        if length == 0 {
            return Ok(None);
        }
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged");
        if !(HEADER_BYTES..=HEADER_BYTES + SHELL_STATE_BYTES_MAX).contains(&length) {
            self.forget()?;
            return Err(damaged());
        }
        let mut text = vec![0; length];
        let read = self.0.read_exact_at(&mut text, 0);
        self.forget()?;
        read?;
        let state = text.split_off(HEADER_BYTES);
        if text != header(state.len()) {
            return Err(damaged());
        }
        ShellState::parse(&state).map(Some).ok_or_else(damaged)
    }
}

fn header(length: usize) -> Vec<u8> {
    let width = HEADER_BYTES - 1 - MAGIC.len();
    format!("{MAGIC}{length:width$}\n").into_bytes()
}

impl ShellState {
    /// Three parts that each end with a NUL byte, as [`super::shell_rest`] has the shell write
    /// them.
    pub(super) fn parse(state: &[u8]) -> Option<Self> {
        let mut parts = state.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        let (definitions, directory, options) = (parts.next()?, parts.next()?, parts.next()?);
        // `pwd` ends its line.
        let directory = directory.strip_suffix(b"\n")?;
        let complete = parts.next().is_none() && directory.starts_with(b"/");
        complete.then(|| Self {
            definitions: definitions.to_owned(),
            directory: directory.to_owned(),
            options: options.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory() -> ShellMemory {
        ShellMemory(tempfile::tempfile().unwrap())
    }

    const STATE: &[u8] = b"declare -x A=\"5\"\n\0/work\nspace\n\0set +o errexit\n\0";

    #[test]
    fn what_was_kept_is_given_once() {
        let memory = memory();
        assert_eq!(memory.take().unwrap(), None);
        memory.keep(b"something longer than what follows it, by some bytes, so that these could stay\0/\n\0\0").unwrap();
        memory.keep(STATE).unwrap();
        let state = memory.take().unwrap().unwrap();
        assert_eq!(state.directory, b"/work\nspace");
        assert_eq!(state.options, b"set +o errexit\n");
        assert_eq!(memory.take().unwrap(), None);
    }

    #[test]
    fn half_of_it_is_nothing_and_damage_is_said_once() {
        let memory = memory();
        memory.0.write_all_at(STATE, HEADER_BYTES as u64).unwrap();
        assert!(memory.take().is_err());
        assert_eq!(memory.take().unwrap(), None);
        for text in [
            &b"short"[..],
            b"\0\0\0",
            b"a\0relative\n\0\0",
            b"a\0/\n\0b\0c\0",
        ] {
            memory.keep(text).unwrap();
            assert!(memory.take().is_err(), "{text:?}");
            assert_eq!(memory.take().unwrap(), None);
        }
        memory.keep(STATE).unwrap();
        memory.0.set_len(60).unwrap();
        assert!(memory.take().is_err());
    }
}
