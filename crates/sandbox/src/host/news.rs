//! What was lost with the processes of a sandbox, until somebody has told the model.
//!
//! It is a file beside the sandbox's directories, so that neither a call that is interrupted nor
//! a restart of the server makes it forgotten. Only the host writes it.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::limits::RECORD_BYTES_MAX;
use crate::name::SandboxName;
use crate::provenance::{Losses, Provenance};

const FILE_NAME: &str = "news.json";

/// The content of the file.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notice {
    what: What,
    /// The processes that come after the event were started: if these are gone too, that is
    /// another one.
    started: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Stopped(Losses),
    Lost,
    /// With what was written since the last stop.
    LostFiles,
    Expired,
}

/// What is known of a sandbox whose processes are about to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    NeverRan,
    Ran,
    /// And its newest files are nowhere any more.
    RanAndLostFiles,
}

impl Notice {
    /// Written before the processes end. If they don't, it is right all the same: it is known by
    /// then what the end would cost.
    pub(super) fn stopping(directory: &Path, losses: Losses) -> io::Result<()> {
        let what = match load(directory)?.map(|notice| notice.what) {
            None => What::Stopped(losses),
            Some(What::Stopped(before)) => What::Stopped(before.and(losses)),
            Some(What::Lost) => What::Lost,
            Some(What::LostFiles) => What::LostFiles,
            Some(What::Expired) => What::Expired,
        };
        let started = false;
        Self { what, started }.save(directory)
    }

    /// The files were kept and processes are about to start.
    pub(super) fn starting(directory: &Path, past: Past) -> io::Result<()> {
        let what = match (load(directory)?, past) {
            (
                Some(Self {
                    what: What::Expired,
                    ..
                }),
                _,
            ) => What::Expired,
            (_, Past::RanAndLostFiles)
            | (
                Some(Self {
                    what: What::LostFiles,
                    ..
                }),
                _,
            ) => What::LostFiles,
            (None, Past::Ran) => What::Lost,
            (None, Past::NeverRan) => return Ok(()),
            (
                Some(Self {
                    what,
                    started: false,
                }),
                _,
            ) => what,
            (
                Some(Self {
                    what: What::Stopped(_) | What::Lost,
                    started: true,
                }),
                _,
            ) => What::Lost,
        };
        let started = false;
        Self { what, started }.save(directory)
    }

    /// They have: a start that was given up is none.
    pub(super) fn started(directory: &Path) -> io::Result<()> {
        match load(directory)? {
            Some(Self {
                what,
                started: false,
            }) => {
                let started = true;
                Self { what, started }.save(directory)
            }
            Some(Self { started: true, .. }) | None => Ok(()),
        }
    }

    /// In a directory that is as good as new.
    pub(super) fn expired(directory: &Path) -> io::Result<()> {
        let (what, started) = (What::Expired, false);
        Self { what, started }.save(directory)
    }

    fn save(self, directory: &Path) -> io::Result<()> {
        let draft = directory.join("news.json.new");
        let mut file = fs::File::create(&draft)?;
        file.write_all(&serde_json::to_vec(&self)?)?;
        fs::rename(draft, directory.join(FILE_NAME))
    }
}

/// A damaged one means that something was lost, and says no more.
fn load(directory: &Path) -> io::Result<Option<Notice>> {
    let file = match fs::File::open(directory.join(FILE_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    file.take(RECORD_BYTES_MAX).read_to_end(&mut text)?;
    let lost = Notice {
        what: What::Lost,
        started: false,
    };
    Ok(Some(serde_json::from_slice(&text).unwrap_or(lost)))
}

/// Whose notice somebody is about to tell: of two calls at once one does.
#[derive(Clone, Default)]
pub(super) struct NoticeBoard(Arc<Mutex<HashSet<SandboxName>>>);

impl NoticeBoard {
    pub(super) fn take(&self, name: &SandboxName, directory: &Path) -> Option<News> {
        let notice = load(directory).ok().flatten()?;
        self.lock().insert(name.clone()).then(|| News {
            what: notice.what,
            directory: directory.to_owned(),
            name: name.clone(),
            board: self.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<SandboxName>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that the user of a sandbox should be told, by whoever holds this.
pub struct News {
    what: What,
    directory: PathBuf,
    name: SandboxName,
    board: NoticeBoard,
}

impl News {
    /// What to tell: the news may be older than the processes that were found.
    pub fn provenance(&self) -> Provenance {
        match self.what {
            What::Stopped(losses) => Provenance::Restored(losses),
            What::Lost => Provenance::Replaced,
            What::LostFiles => Provenance::Lost,
            What::Expired => Provenance::Expired,
        }
    }

    /// It is known now. If that can't be noted, it is told again, which is not wrong.
    pub fn told(self) {
        match load(&self.directory) {
            // Something else happened meanwhile, which is not told yet.
            Ok(Some(notice)) if notice.what != self.what => return,
            Ok(_) | Err(_) => {}
        }
        if let Err(error) = fs::remove_file(self.directory.join(FILE_NAME)) {
            tracing::warn!(sandbox = %self.name, %error, "news of a sandbox stay");
        }
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.board.lock().remove(&self.name);
    }
}

impl std::fmt::Debug for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "News({}, {:?})", self.name, self.what)
    }
}
