//! The gateway of a server, and what it does for one sandbox: an [`Attachment`].
//!
//! Accepts, and bounds how much it accepts. What a connection may do is decided in the files
//! of its protocol.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;

use crate::acceptor::{Accepted, Acceptor};
use crate::attached::{Attached, Shared};
use crate::connection::{Door, serve};
use crate::dns;
use crate::limits::{LOOKUPS_TOTAL_MAX, NAMES_NETWORK_SIZE_MIN};
use crate::options::GatewayOptions;
use crate::policy::Policy;
use crate::secrets::Secrets;
use crate::trust::Trust;
use crate::usage::Usage;

/// One for each server; clones are the same gateway.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

/// Sockets that live in the network namespace of one sandbox.
#[derive(Debug)]
pub struct Listeners {
    /// Whatever a connection to one of these was meant for is read from the socket itself: the
    /// destination before a redirection, else the local address.
    pub tcp: Vec<TcpListener>,
    /// Where the sandbox's `http_proxy` and `https_proxy` point.
    pub proxy: TcpListener,
    /// The sandbox's name server.
    pub dns: UdpSocket,
}

/// One sandbox's way out. Dropping it ends all connections and closes the sockets.
#[derive(Debug)]
pub struct Attachment {
    attached: Arc<Attached>,
    policy: watch::Sender<Arc<Policy>>,
    /// Owns the loops, which own their connections.
    _loops: JoinSet<()>,
    _acceptor: Acceptor,
}

impl Gateway {
    pub fn new(options: GatewayOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                permits: Arc::new(Semaphore::new(options.connections_total_max)),
                options,
                lookups: Arc::new(Semaphore::new(LOOKUPS_TOTAL_MAX)),
                trust: Trust::default(),
            }),
        }
    }

    /// Serves the sockets until the attachment is dropped. The label names the sandbox in log
    /// lines. Has to be called on a runtime of tokio.
    pub fn attach(
        &self,
        label: String,
        policy: Policy,
        listeners: Listeners,
    ) -> io::Result<Attachment> {
        self.serve(label, policy, listeners, None)
    }

    /// The same for a sandbox that has placeholders of secrets.
    pub fn attach_with_secrets(
        &self,
        label: String,
        policy: Policy,
        listeners: Listeners,
        secrets: Secrets,
    ) -> io::Result<Attachment> {
        self.serve(label, policy, listeners, Some(secrets))
    }

    fn serve(
        &self,
        label: String,
        policy: Policy,
        listeners: Listeners,
        secrets: Option<Secrets>,
    ) -> io::Result<Attachment> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let network = self.shared.options.names_network;
        if network.address().is_ipv6() || network.size() < NAMES_NETWORK_SIZE_MIN {
            let message =
                format!("names_network {network} is not a network of IPv4 of at least /24");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let (policy, current) = watch::channel(Arc::new(policy));
        let attached = Arc::new(Attached::new(
            label,
            Arc::clone(&self.shared),
            current,
            secrets,
        ));
        let mut loops = JoinSet::new();
        let doors = listeners
            .tcp
            .into_iter()
            .map(|listener| (listener, Door::Transparent))
            .chain([(listeners.proxy, Door::Proxy)])
            .collect();
        listeners.dns.set_nonblocking(true)?;
        let name_server = tokio::net::UdpSocket::from_std(listeners.dns)?;
        loops.spawn(dns::serve(Arc::clone(&attached), name_server));
        let (acceptor, connections) = Acceptor::start(doors, runtime)?;
        loops.spawn(attend(Arc::clone(&attached), connections));
        Ok(Attachment {
            attached,
            policy,
            _loops: loops,
            _acceptor: acceptor,
        })
    }
}

impl Attachment {
    pub fn usage(&self) -> Usage {
        self.attached.meter.usage()
    }

    /// Why something did not get through, the last time that it did not: in words of the gateway, with no more of a
    /// host's own than a name.
    pub fn last_denial(&self) -> Option<String> {
        self.attached.last_denial().map(|denial| denial.to_string())
    }

    /// Judges what is asked from now on by another policy, and ends tunnels that it doesn't permit.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.send_replace(Arc::new(policy));
    }
}

/// Serves connections while there is room for them: beyond it they wait in the kernel's queue,
/// which is bounded too, and no other sandbox notices.
async fn attend(attached: Arc<Attached>, mut accepted: mpsc::Receiver<Accepted>) {
    let mut connections = JoinSet::new();
    let mut failing = false;
    loop {
        let (stream, door) = tokio::select! {
            connection = accepted.recv() => match connection.map(ready) {
                // Nobody accepts any more.
                None => return,
                Some(Ok(connection)) => {
                    failing = false;
                    connection
                }
                Some(Err(error)) => {
                    // Once, however long it lasts.
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(sandbox = attached.label, %error, "can't accept connections");
                    }
                    continue;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    // Nobody cancels one but by dropping all: it panicked, which is a defect.
                    tracing::error!(sandbox = attached.label, %error, "a connection was lost");
                }
                continue;
            }
        };
        // Its own first: a sandbox that waits for itself keeps nobody else waiting.
        let own = Arc::clone(&attached.permits).acquire_owned().await;
        let shared = Arc::clone(&attached.shared.permits).acquire_owned().await;
        let (Ok(own), Ok(shared)) = (own, shared) else {
            return;
        };
        let attached = Arc::clone(&attached);
        connections.spawn(async move {
            Box::pin(serve(attached, stream, door)).await;
            drop((own, shared));
        });
    }
}

fn ready(accepted: Accepted) -> io::Result<(TcpStream, Door)> {
    let (stream, door) = accepted?;
    Ok((TcpStream::from_std(stream)?, door))
}
