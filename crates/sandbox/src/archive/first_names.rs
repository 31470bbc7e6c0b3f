//! The first name of each file that has several, to write the others as names of it.
//!
//! How many there are and how long is up to the sandbox, so what is remembered is bounded, and
//! forgotten with the last name of a file.

use std::collections::HashMap;
use std::io;

use rustix::fs::Stat;

use super::refused;
use crate::limits::ARCHIVE_LATER_BYTES_MAX;

/// By device and number of the file.
#[derive(Default)]
pub(super) struct FirstNames {
    known: HashMap<(u64, u64), First>,
    bytes: usize,
}

struct First {
    path: Vec<u8>,
    /// Names that were not seen yet. Some may be where nothing is packed.
    left: u64,
}

impl FirstNames {
    /// `None`: `path` is the first name of this file, or its only one.
    pub(super) fn of(&mut self, found: &Stat, path: &[u8]) -> io::Result<Option<Vec<u8>>> {
        if found.st_nlink <= 1 {
            return Ok(None);
        }
        let key = (found.st_dev, found.st_ino);
        if let Some(first) = self.known.get_mut(&key) {
            first.left -= 1;
            if first.left > 0 {
                return Ok(Some(first.path.clone()));
            }
            let last = self.known.remove(&key).map(|first| first.path);
            self.bytes -= last.as_ref().map_or(0, |path| cost(path));
            return Ok(last);
        }
        self.bytes += cost(path);
        if self.bytes > ARCHIVE_LATER_BYTES_MAX {
            return Err(refused(format!(
                "the paths of files with several names take more than {} MiB",
                ARCHIVE_LATER_BYTES_MAX >> 20
            )));
        }
        let first = First {
            path: path.to_owned(),
            left: found.st_nlink - 1,
        };
        self.known.insert(key, first);
        Ok(None)
    }
}

fn cost(path: &[u8]) -> usize {
    path.len() + size_of::<((u64, u64), First)>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with so many names, by its number.
    fn file(number: u64, names: u64) -> Stat {
        let mut found = rustix::fs::stat("/").unwrap();
        (found.st_ino, found.st_nlink) = (number, names);
        found
    }

    #[test]
    fn nothing_is_remembered_of_files_whose_names_were_all_seen() {
        let mut names = FirstNames::default();
        for number in 0..1000 {
            assert_eq!(names.of(&file(number, 3), b"first").unwrap(), None);
            for _ in 0..2 {
                let other = names.of(&file(number, 3), b"other").unwrap();
                assert_eq!(other.as_deref(), Some(&b"first"[..]));
            }
            assert_eq!(names.of(&file(number, 1), b"alone").unwrap(), None);
        }
        assert_eq!((names.known.len(), names.bytes), (0, 0));
    }

    #[test]
    fn more_than_is_remembered_is_refused() {
        let mut names = FirstNames {
            bytes: ARCHIVE_LATER_BYTES_MAX - cost(b"fits"),
            ..FirstNames::default()
        };
        names.of(&file(1, 2), b"fits").unwrap();
        let refused = names.of(&file(2, 2), b"not").unwrap_err();
        assert!(refused.to_string().contains("files with several names"));
    }
}
