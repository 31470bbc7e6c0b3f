//! A gateway with one sandbox, and the hosts that it may lead to.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostler_egress::{
    AllowedHosts, Attachment, Authorities, Gateway, GatewayOptions, HostName, Listeners, Network,
    Policy, Resolver, Secrets, Times, Usage,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::wire::{TYPE_A, answer, ask_dns, question_for};

/// The one host that policies permit here. Its server listens on loopback.
pub(crate) const ALLOWED: &str = "allowed.example";

/// Stands for names in place of 198.18.0.0/15, which no machine accepts connections at.
const NAMES: [u8; 2] = [127, 18];

pub(crate) struct World {
    pub(crate) attachment: Attachment,
    pub(crate) proxy: SocketAddr,
    pub(crate) dns: SocketAddr,
    /// A transparent listener at an address that stands for no name.
    pub(crate) bare: SocketAddr,
    pub(crate) server: Server,
    /// The names that were looked up, in order.
    pub(crate) lookups: Arc<Mutex<Vec<String>>>,
}

/// What a test changes of the ordinary world.
pub(crate) struct Setting {
    pub(crate) policy: Policy,
    pub(crate) behaviour: Behaviour,
    /// The addresses of names other than [`ALLOWED`], by how often they were asked for before.
    pub(crate) addresses: fn(&str, usize) -> Vec<IpAddr>,
    pub(crate) change: fn(&mut GatewayOptions, SocketAddr),
    pub(crate) secrets: Option<Secrets>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            policy: limited(),
            behaviour: Behaviour::Http,
            addresses: |_, _| vec![Ipv4Addr::LOCALHOST.into()],
            change: |_, _| {},
            secrets: None,
        }
    }
}

pub(crate) fn limited() -> Policy {
    Policy::Limited(AllowedHosts::new([ALLOWED, "*.below.example"]))
}

impl World {
    pub(crate) async fn limited() -> Self {
        Self::new(Setting::default()).await
    }

    pub(crate) async fn unrestricted() -> Self {
        Self::new(Setting {
            policy: Policy::Unrestricted,
            ..Setting::default()
        })
        .await
    }

    pub(crate) async fn with(behaviour: Behaviour) -> Self {
        Self::new(Setting {
            behaviour,
            ..Setting::default()
        })
        .await
    }

    pub(crate) async fn new(setting: Setting) -> Self {
        let (server, mut transparent) = Server::start(setting.behaviour).await;
        let elsewhere = std::net::TcpListener::bind((Ipv4Addr::new(127, 40, 0, 1), 0)).unwrap();
        let bare = elsewhere.local_addr().unwrap();
        transparent.push(elsewhere);
        let lookups: Arc<Mutex<Vec<String>>> = Arc::default();
        let resolver = {
            let (lookups, addresses) = (Arc::clone(&lookups), setting.addresses);
            Resolver::Function(Arc::new(move |name: &HostName| {
                let mut lookups = lookups.lock().unwrap();
                let before = lookups.iter().filter(|n| *n == name.as_str()).count();
                lookups.push(name.to_string());
                Ok(addresses(name.as_str(), before))
            }))
        };
        let mut options = GatewayOptions {
            hosts: [(ALLOWED.parse().unwrap(), server.address.ip())].into(),
            names_network: Network::new([NAMES[0], NAMES[1], 0, 0].into(), 24).unwrap(),
            times: Times {
                silence: Duration::from_millis(50),
                ..Times::default()
            },
            resolver,
            authorities: Authorities::These(crate::tls::roots()),
            ..GatewayOptions::default()
        };
        (setting.change)(&mut options, server.address);
        let gateway = Gateway::new(options);
        let (attachment, proxy, dns) =
            attach_with(&gateway, setting.policy, transparent, setting.secrets);
        Self {
            attachment,
            proxy,
            dns,
            bare,
            server,
            lookups,
        }
    }

    pub(crate) fn usage(&self) -> Usage {
        self.attachment.usage()
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.address.port()
    }

    /// `allowed.example` with its server's port.
    pub(crate) fn authority(&self) -> String {
        format!("{ALLOWED}:{}", self.port())
    }

    /// Where the name server says that a name is, with the port of the server.
    pub(crate) async fn resolve(&self, name: &str) -> SocketAddr {
        let reply = ask_dns(self.dns, &question_for(name, TYPE_A)).await;
        let (_, address) = answer(&reply);
        SocketAddr::new(address.expect("an address").into(), self.port())
    }

    /// Asks the kernel for a connection as a client would that knows of no proxy.
    pub(crate) async fn reach(&self, name: &str) -> TcpStream {
        crate::wire::connect(self.resolve(name).await).await
    }
}

/// One more sandbox of a gateway; its proxy's and its name server's addresses.
pub(crate) fn attach(
    gateway: &Gateway,
    policy: Policy,
    tcp: Vec<std::net::TcpListener>,
) -> (Attachment, SocketAddr, SocketAddr) {
    attach_with(gateway, policy, tcp, None)
}

fn attach_with(
    gateway: &Gateway,
    policy: Policy,
    tcp: Vec<std::net::TcpListener>,
    secrets: Option<Secrets>,
) -> (Attachment, SocketAddr, SocketAddr) {
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dns = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addresses = (proxy.local_addr().unwrap(), dns.local_addr().unwrap());
    let listeners = Listeners { tcp, proxy, dns };
    let name = "test".to_owned();
    let attachment = match secrets {
        Some(secrets) => gateway.attach_with_secrets(name, policy, listeners, secrets),
        None => gateway.attach(name, policy, listeners),
    }
    .unwrap();
    (attachment, addresses.0, addresses.1)
}

/// What the server behind [`ALLOWED`] does with a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    /// Answers HTTP, telling what it was asked.
    Http,
    /// The same over TLS, in the name of this host, with these protocols.
    Https(&'static str, &'static [&'static [u8]]),
    /// Sends everything back, and ends when the client does.
    Echo,
    /// Speaks first, then sends everything back.
    Greet,
    /// Reads a request, answers with these bytes, and ends.
    Answer(&'static [u8]),
    /// Answers one request, reads the next, and ends without a word.
    AnswerOnce,
}

/// Method and target of each request, in order.
pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// A host on loopback that counts who comes.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) accepted: Arc<AtomicUsize>,
    pub(crate) received: Arc<AtomicUsize>,
    pub(crate) seen: Seen,
    _tasks: JoinSet<()>,
}

impl Server {
    /// With listeners on the same port at all addresses that stand for names.
    async fn start(behaviour: Behaviour) -> (Self, Vec<std::net::TcpListener>) {
        let (listener, transparent) = loop {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let transparent: io::Result<Vec<_>> = (1..=254)
                .map(|last| {
                    std::net::TcpListener::bind((Ipv4Addr::new(NAMES[0], NAMES[1], 0, last), port))
                })
                .collect();
            // Another process may have taken the port at one of them.
            if let Ok(transparent) = transparent {
                break (listener, transparent);
            }
        };
        let address = listener.local_addr().unwrap();
        let (accepted, received) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut tasks = JoinSet::new();
        let counters = (Arc::clone(&accepted), Arc::clone(&received));
        let seen = Seen::default();
        let told = Arc::clone(&seen);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counters.0.fetch_add(1, Ordering::SeqCst);
                let (received, told) = (Arc::clone(&counters.1), Arc::clone(&told));
                connections.spawn(async move {
                    _ = Box::pin(behave(stream, behaviour, &received, told)).await
                });
            }
        });
        let server = Self {
            address,
            accepted,
            received,
            seen,
            _tasks: tasks,
        };
        (server, transparent)
    }

    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn received(&self) -> usize {
        self.received.load(Ordering::SeqCst)
    }
}

async fn behave(
    mut stream: TcpStream,
    behaviour: Behaviour,
    received: &AtomicUsize,
    seen: Seen,
) -> io::Result<()> {
    match behaviour {
        Behaviour::Http => return crate::wire_server::serve(stream, seen).await,
        Behaviour::Https(name, protocols) => {
            return crate::tls::serve(stream, name, protocols, seen).await;
        }
        Behaviour::Greet => stream.write_all(b"220 ready\r\n").await?,
        Behaviour::Echo => {}
        Behaviour::Answer(bytes) => {
            let mut buffer = [0; 16 << 10];
            let read = stream.read(&mut buffer).await?;
            received.fetch_add(read, Ordering::SeqCst);
            stream.write_all(bytes).await?;
            return stream.shutdown().await;
        }
        Behaviour::AnswerOnce => {
            let mut buffer = [0; 16 << 10];
            _ = stream.read(&mut buffer).await?;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(answer).await?;
            _ = stream.read(&mut buffer).await?;
            return Ok(());
        }
    }
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = stream.read(&mut buffer).await?;
        if read == 0 {
            return stream.shutdown().await;
        }
        received.fetch_add(read, Ordering::SeqCst);
        stream.write_all(&buffer[..read]).await?;
    }
}
