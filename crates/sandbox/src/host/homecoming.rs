//! The files of a sandbox come from its pod to its directory on this machine, before the pod goes.
//!
//! What a pod gives is an archive as from a stranger. It is unpacked beside the directory, and only
//! when all of it is there does it take the place of what was there before; the pod goes after
//! that. A crash on the way costs the work and nothing else.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::processes::{Newest, Processes};
use super::state_dir::open_directory;
use super::{Inner, blocking};
use crate::agent::shell_memory::SHELL_MEMORY_NAME;
use crate::archive::{Halves, TREES, unpack};
use crate::name::SandboxName;

impl Inner {
    /// Ends what runs in its pod, if it has one, and fetches the files. `false`: the newest ones
    /// are nowhere any more.
    pub(super) async fn bring_home(&self, name: &SandboxName) -> io::Result<bool> {
        let directory = self.state.directory_of(name);
        let pod = match self.processes.newest_files(&directory).await? {
            Newest::Here => return Ok(true),
            Newest::Lost => return Ok(false),
            Newest::InPod(pod) => pod,
        };
        let archive = match pod.pack().await {
            Ok(archive) => archive,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match self.take_in(name, &directory, archive).await {
            Ok(()) => Ok(true),
            // Another attempt would end as this one did.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::error!(sandbox = %name, %error, "the files in its pod are of no use");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn take_in(
        &self,
        name: &SandboxName,
        directory: &Path,
        archive: impl Read + Send + 'static,
    ) -> io::Result<()> {
        let draft = self.state.draft(name, None)?;
        let home = directory.to_owned();
        let taken = blocking(move || {
            let place = draft.place;
            let handle = open_directory(&place)?;
            unpack(Halves::in_one(handle.as_fd()), None, archive)?;
            rustix::fs::syncfs(fs::File::open(&place)?)?;
            exchange(&place, &home)?;
            Processes::note_files_at_home(&home)
        });
        let taken = taken.await;
        // What was there before, or what did not become complete. It would go with the next start.
        let _ = self.state.throw_away_draft(name);
        taken
    }
}

fn exchange(draft: &Path, home: &Path) -> io::Result<()> {
    for tree in TREES {
        let (new, old) = (draft.join(tree), home.join(tree));
        renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE)?;
    }
    let (new, old) = (draft.join(SHELL_MEMORY_NAME), home.join(SHELL_MEMORY_NAME));
    match fs::rename(new, &old) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::remove_file(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        },
        renamed => renamed,
    }
}
