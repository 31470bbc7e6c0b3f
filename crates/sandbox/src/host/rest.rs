//! Sandboxes that are stopped to go on later, and those that were kept long enough.

use std::io;

use super::connection::ask_to_rest;
use super::news::Notice;
use super::state_dir::open_directory;
use super::{Inner, SandboxHost, Stop};
use crate::error::SandboxError;
use crate::name::SandboxName;

impl SandboxHost {
    /// Throws its files away as well, and has the next [`SandboxHost::open`] say
    /// [`Provenance::Expired`]. One in use goes on, as with [`SandboxHost::stop`].
    pub async fn expire(&self, name: &SandboxName) -> Result<Stop, SandboxError> {
        let _alone = self.inner.occupancy.claim(name).await;
        if self.inner.occupancy.is_used(name) {
            return Ok(Stop::InUse);
        }
        self.inner.throw_away(name).await?;
        self.inner
            .state
            .prepare(name, self.inner.processes.uid_base())?;
        Notice::expired(&self.inner.state.directory_of(name))?;
        Ok(Stop::Stopped)
    }
}

impl Inner {
    /// Ends the processes of a sandbox that may come back.
    pub(super) async fn rest(&self, name: &SandboxName) -> io::Result<()> {
        let directory = self.state.directory_of(name);
        let losses = match open_directory(&directory) {
            Ok(handle) if self.processes.seem_alive(&directory) => Some(ask_to_rest(&handle).await),
            Ok(_) | Err(_) => None,
        };
        if let Some(losses) = losses {
            Notice::stopping(&directory, losses)?;
        }
        self.end(name).await
    }
}
