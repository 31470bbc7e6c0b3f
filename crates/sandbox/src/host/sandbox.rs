//! One sandbox, as its user sees it: something that runs tools.

use std::fmt;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::agent_socket::AgentSocket;
use super::connection::{self, Connection, ToolTime};
use super::fake::FakeSandbox;
use super::gateway_sockets::GatewaySockets;
use super::living::Living;
use super::occupancy::SandboxUse;
use super::parting::Parting;
use super::processes::PodLink;
use super::state_dir::open_directory;
use crate::error::SandboxError;
use crate::limits::{HOST_CALLS_MAX, REQUEST_BYTES_MAX};
use crate::name::SandboxName;
use crate::output::Output;
use crate::tool::{Call, check_call_id};
use crate::wire::{Request, encode};

/// Cheap to clone. As long as one exists the sandbox is in use, see
/// [`super::SandboxHost::stop`]; dropping it does not end the sandbox.
#[derive(Clone)]
pub struct Sandbox {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Here(Arc<Inner>),
    Fake(Arc<FakeSandbox>),
}

struct Inner {
    name: SandboxName,
    path: PathBuf,
    directory: Arc<OwnedFd>,
    agent: AgentSocket,
    calls: Semaphore,
    living: Living,
    _in_use: SandboxUse,
}

impl Sandbox {
    pub(super) fn new(
        in_use: SandboxUse,
        name: SandboxName,
        path: &Path,
        agent: AgentSocket,
        living: Living,
    ) -> Result<Self, SandboxError> {
        let directory = Arc::new(open_directory(path)?);
        let calls = Semaphore::new(HOST_CALLS_MAX);
        let inner = Inner {
            name,
            path: path.to_owned(),
            directory,
            agent,
            calls,
            living,
            _in_use: in_use,
        };
        Ok(Self {
            kind: Kind::Here(Arc::new(inner)),
        })
    }

    pub(super) fn of_fake(fake: FakeSandbox) -> Self {
        Self {
            kind: Kind::Fake(Arc::new(fake)),
        }
    }

    pub(super) fn is_fake(&self) -> bool {
        matches!(self.kind, Kind::Fake(_))
    }

    /// What one has that is there. Whatever a fake one lacks is refused.
    fn inner(&self) -> Result<&Inner, SandboxError> {
        match &self.kind {
            Kind::Here(inner) => Ok(inner),
            Kind::Fake(_) => Err(SandboxError::Refused {
                reason: "a simulated sandbox has no files and no programs".to_owned(),
            }),
        }
    }

    pub fn name(&self) -> &SandboxName {
        match &self.kind {
            Kind::Here(inner) => &inner.name,
            Kind::Fake(fake) => fake.name(),
        }
    }

    /// The sandbox's own directory on the host.
    pub(super) fn directory(&self) -> Result<Arc<OwnedFd>, SandboxError> {
        Ok(Arc::clone(&self.inner()?.directory))
    }

    /// Who is asked there.
    pub(super) fn agent(&self) -> Result<&AgentSocket, SandboxError> {
        Ok(&self.inner()?.agent)
    }

    /// Where its files are, if that is not the directory.
    pub(super) fn pod(&self) -> Result<Option<&PodLink>, SandboxError> {
        Ok(self.inner()?.agent.pod())
    }

    /// The path of that.
    pub(super) fn path(&self) -> Result<&Path, SandboxError> {
        Ok(&self.inner()?.path)
    }

    /// The sockets that meet what leaves the sandbox; `None` if it was made without a gateway. Each
    /// call gives the same ones; they are open as long as anybody, or the sandbox, has them.
    pub async fn gateway_sockets(&self) -> Result<Option<GatewaySockets>, SandboxError> {
        let inner = self.inner()?;
        let Ok(_turn) = inner.calls.acquire().await else {
            return Err(SandboxError::lost("it is being closed"));
        };
        let connection = Connection::open(&inner.agent).await;
        let connection = connection
            .map_err(|error| SandboxError::lost(format!("nobody answers there: {error}")))?;
        connection.gateway_sockets().await
    }

    /// Runs one tool. Dropping the future cancels it inside. After [`SandboxError::Lost`] or
    /// [`SandboxError::Protocol`], open the sandbox again.
    pub async fn run(&self, call: Call) -> Result<Output, SandboxError> {
        self.run_until(call, &Parting::that_cancels()).await
    }

    /// The same, but what a drop of the future means is decided by then.
    pub async fn run_until(&self, call: Call, parting: &Parting) -> Result<Output, SandboxError> {
        if let Err(reason) = check_call_id(&call.id) {
            return Err(SandboxError::Refused { reason });
        }
        if let Kind::Fake(fake) = &self.kind {
            return fake.run(call, parting).await;
        }
        let time = ToolTime::of(&call.tool);
        let request = Request::Run {
            id: call.id,
            tool: call.tool,
        };
        let Ok(frame) = encode(&request, REQUEST_BYTES_MAX) else {
            let size = REQUEST_BYTES_MAX >> 20;
            return Ok(Output::error(format!(
                "the input of this call is too long: at most about {size} MiB can be sent to \
                 the sandbox at once"
            )));
        };
        let answer = self.exchange(&frame, time, parting).await?;
        answer.ok_or_else(|| SandboxError::protocol("it does not know what it was just asked"))
    }

    /// Waits for the answer of a call that an earlier server began here, and never runs it
    /// again: `None` if this sandbox has not seen it, or does not keep its answer any more.
    pub async fn resume(
        &self,
        call: Call,
        parting: &Parting,
    ) -> Result<Option<Output>, SandboxError> {
        if let Kind::Fake(fake) = &self.kind {
            return fake.resume(&call.id, parting).await;
        }
        let time = ToolTime::of(&call.tool);
        let frame = encode(&Request::Resume { id: call.id }, REQUEST_BYTES_MAX)?;
        self.exchange(&frame, time, parting).await
    }

    /// Ends a call that an earlier server began here, if it is still under way.
    pub async fn cancel(&self, id: &str) {
        match &self.kind {
            Kind::Here(inner) => connection::cancel(&inner.agent, id.to_owned()).await,
            Kind::Fake(fake) => fake.cancel(id).await,
        }
    }

    async fn exchange(
        &self,
        frame: &[u8],
        time: ToolTime,
        parting: &Parting,
    ) -> Result<Option<Output>, SandboxError> {
        let inner = self.inner()?;
        let Ok(_turn) = inner.calls.acquire().await else {
            return Err(SandboxError::lost("it is being closed"));
        };
        let connection = Connection::open(&inner.agent).await;
        let answer = match connection {
            Ok(connection) => connection.call(frame, time, parting).await,
            Err(error) => Err(SandboxError::lost(format!("nobody answers there: {error}"))),
        };
        if let Err(SandboxError::Lost { .. } | SandboxError::Protocol { .. }) = &answer {
            inner.living.forget(&inner.name);
        }
        answer
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox")
            .field("name", &self.name().as_str())
            .finish_non_exhaustive()
    }
}
