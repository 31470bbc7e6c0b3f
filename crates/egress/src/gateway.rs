//! The gateway of a server, and what it does for one sandbox: an [`Attachment`].
//!
//! Accepts, and bounds how much it accepts. What a connection may do is decided in the files
//! of its protocol.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::attached::Attached;
use crate::limits::ACCEPT_RETRY;
use crate::options::GatewayOptions;
use crate::policy::Policy;
use crate::usage::Usage;

/// One for each server; clones are the same gateway.
#[derive(Clone)]
pub struct Gateway {
    options: Arc<GatewayOptions>,
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
}

/// Which of the sockets a connection came in by.
#[derive(Debug, Clone, Copy)]
enum Door {
    Transparent,
    Proxy,
}

impl Gateway {
    pub fn new(options: GatewayOptions) -> Self {
        Self {
            options: Arc::new(options),
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
        Handle::try_current().map_err(io::Error::other)?;
        let (policy, current) = watch::channel(Arc::new(policy));
        let attached = Arc::new(Attached::new(label, Arc::clone(&self.options), current));
        let mut loops = JoinSet::new();
        let doors = listeners
            .tcp
            .into_iter()
            .map(|listener| (listener, Door::Transparent))
            .chain([(listeners.proxy, Door::Proxy)]);
        let name_server = listeners.dns;
        loops.spawn(async move {
            // Held and not read: a question gets no answer.
            let _name_server = name_server;
            std::future::pending::<()>().await;
        });
        for (listener, door) in doors {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loops.spawn(accept(Arc::clone(&attached), listener, door));
        }
        Ok(Attachment {
            attached,
            policy,
            _loops: loops,
        })
    }
}

impl Attachment {
    pub fn usage(&self) -> Usage {
        self.attached.meter.usage()
    }

    /// Judges what is asked from now on by another policy, and ends tunnels that it doesn't permit.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.send_replace(Arc::new(policy));
    }
}

/// Takes connections while there is room for them: beyond it they wait in the kernel's queue,
/// which is bounded too, and no other sandbox notices.
async fn accept(attached: Arc<Attached>, listener: tokio::net::TcpListener, door: Door) {
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(sandbox = attached.label, %error, "no connection could be accepted");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let Ok(permit) = Arc::clone(&attached.permits).acquire_owned().await else {
            return;
        };
        let attached = Arc::clone(&attached);
        connections.spawn(async move {
            serve(&attached, stream, door).await;
            drop(permit);
        });
    }
}

/// Closes a connection at once, so that its client fails fast.
async fn serve(attached: &Attached, stream: TcpStream, door: Door) {
    attached.meter.refused();
    tracing::info!(sandbox = attached.label, ?door, "refused");
    drop(stream);
}
