//! A sandbox before and beside its calls: made ahead of the first one, found without making one, and
//! known to be alive without asking.

use super::{Opened, Place, Sandbox, SandboxHost};
use crate::error::SandboxError;
use crate::name::SandboxName;
use crate::provenance::Provenance;
use crate::spec::Spec;

impl SandboxHost {
    /// As [`SandboxHost::open`], ahead of the first call: that the sandbox was replaced is told
    /// to whoever opens it next.
    pub async fn prepare(&self, name: &SandboxName, spec: &Spec) -> Result<Opened, SandboxError> {
        let inner = match &self.place {
            Place::Here(inner) => inner,
            Place::Fake(fake) => return fake.open(name).await,
        };
        let _alone = inner.occupancy.claim(name).await;
        let (opened, _) = inner.open(name, spec).await?;
        Ok(opened)
    }

    /// As [`SandboxHost::open`], if the sandbox runs: nothing need be known of what it is made
    /// with.
    pub async fn attach(&self, name: &SandboxName) -> Result<Option<Opened>, SandboxError> {
        let inner = match &self.place {
            Place::Here(inner) => inner,
            Place::Fake(fake) => {
                return Ok(fake.find(name).await.map(|sandbox| Opened {
                    sandbox,
                    provenance: Provenance::Attached,
                    news: None,
                }));
            }
        };
        let _alone = inner.occupancy.claim(name).await;
        let directory = inner.state.directory_of(name);
        if !inner.is_running(name, &directory).await {
            return Ok(None);
        }
        Ok(Some(Opened {
            sandbox: inner.sandbox(name, &directory)?,
            provenance: Provenance::Attached,
            news: inner.notices.take(name, &directory),
        }))
    }

    /// The running sandbox of this name. It makes none.
    pub async fn find(&self, name: &SandboxName) -> Result<Option<Sandbox>, SandboxError> {
        let inner = match &self.place {
            Place::Here(inner) => inner,
            Place::Fake(fake) => return Ok(fake.find(name).await),
        };
        let _alone = inner.occupancy.claim(name).await;
        let directory = inner.state.directory_of(name);
        if !inner.is_running(name, &directory).await {
            return Ok(None);
        }
        inner.sandbox(name, &directory).map(Some)
    }

    /// Whether a sandbox that this host opened before still runs. It costs a look at a process.
    pub fn is_known_alive(&self, name: &SandboxName) -> bool {
        match &self.place {
            Place::Here(inner) => {
                let directory = inner.state.directory_of(name);
                inner.living.has(name) && inner.processes.seem_alive(&directory)
            }
            Place::Fake(fake) => fake.is_alive(name),
        }
    }
}
