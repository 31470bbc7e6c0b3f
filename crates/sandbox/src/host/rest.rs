//! Sandboxes that are stopped to go on later, and those that were kept long enough or are wanted by
//! nobody any more.

use std::io;
use std::sync::Arc;

use super::connection::ask_to_rest;
use super::news::Notice;
use super::state_dir::is_laid_out;
use super::{Inner, Place, SandboxHost, Stop, blocking, release};
use crate::error::SandboxError;
use crate::name::SandboxName;

impl SandboxHost {
    /// Ends its processes, in use or not, and throws its files away: they are deleted by the next
    /// [`SandboxHost::empty_trash`]. One that does not exist is fine.
    pub async fn throw_away(&self, name: &SandboxName) -> Result<(), SandboxError> {
        match &self.place {
            Place::Here(inner) => {
                let _alone = inner.occupancy.claim(name).await;
                inner.throw_away(name).await
            }
            Place::Fake(fake) => {
                fake.throw_away(name).await;
                Ok(())
            }
        }
    }

    /// Deletes what was thrown away, off the async threads. It takes as long as there are files:
    /// whoever calls it has a task for that.
    pub async fn empty_trash(&self) -> Result<(), SandboxError> {
        let inner = Arc::clone(self.inner()?);
        Ok(blocking(move || inner.state.empty_trash()).await?)
    }

    /// Whether anything was thrown away since the trash was emptied last.
    pub fn has_trash(&self) -> bool {
        self.inner().is_ok_and(|inner| inner.state.has_trash())
    }

    /// Ends its processes, in use or not, and deletes its files before it returns. One that does
    /// not exist is fine.
    pub async fn destroy(&self, name: &SandboxName) -> Result<(), SandboxError> {
        self.throw_away(name).await?;
        self.empty_trash().await
    }

    /// Throws its files away as well, and has the next [`SandboxHost::open`] say
    /// [`Provenance::Expired`]. One in use goes on, as with [`SandboxHost::stop`]. `before` is done
    /// while nobody can open it, and only if it is not in use; its failure leaves the files.
    pub async fn expire(
        &self,
        name: &SandboxName,
        before: impl Future<Output = Result<(), SandboxError>>,
    ) -> Result<Stop, SandboxError> {
        let _alone = self.inner()?.occupancy.claim(name).await;
        let Some(_closed) = self.inner()?.close(name)? else {
            return Ok(Stop::InUse);
        };
        before.await?;
        self.inner()?.throw_away(name).await?;
        self.inner()?.begin_expired(name).await?;
        Ok(Stop::Stopped)
    }

    /// The same for a sandbox that has no files here, on behalf of whoever uses it. One that has
    /// stays as it is.
    pub async fn begin_expired(&self, name: &SandboxName) -> Result<(), SandboxError> {
        let _alone = self.inner()?.occupancy.claim(name).await;
        if is_laid_out(&self.inner()?.state.directory_of(name)) {
            return Ok(());
        }
        self.inner()?.begin_expired(name).await
    }
}

impl Inner {
    async fn begin_expired(&self, name: &SandboxName) -> Result<(), SandboxError> {
        let prepared = self.prepare(name).await?;
        release(prepared.written).await;
        Ok(Notice::expired(&self.state.directory_of(name))?)
    }

    /// Ends the processes of a sandbox that may come back.
    pub(super) async fn rest(&self, name: &SandboxName) -> io::Result<()> {
        let directory = self.state.directory_of(name);
        let losses = match self.processes.agent_socket(&directory) {
            Ok(agent) if self.processes.seem_alive(&directory) => Some(ask_to_rest(&agent).await),
            Ok(_) | Err(_) => None,
        };
        if let Some(losses) = losses {
            Notice::stopping(&directory, losses)?;
        }
        self.bring_home(name).await?;
        self.end(name).await
    }
}
