//! How the gateway itself speaks TLS to a host: strictly, because it is about to send a secret.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, version};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::connection::Connection;
use crate::denial::Denial;
use crate::host_name::{Host, shown};
use crate::options::Authorities;
use crate::upstream::Upstream;

/// Made when it is needed first.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    configs: OnceCell<Configs>,
}

/// One for each [`Offer`].
#[derive(Debug)]
struct Configs {
    nothing: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    http2_and_1: Arc<ClientConfig>,
}

/// What is offered to be spoken inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    Nothing,
    Http1,
    Http2And1,
}

impl Trust {
    async fn config(
        &self,
        authorities: &Authorities,
        offer: Offer,
    ) -> Result<Arc<ClientConfig>, rustls::Error> {
        let configs = self.configs.get_or_try_init(|| async {
            let roots = match authorities {
                Authorities::These(roots) => Arc::clone(roots),
                Authorities::Host => {
                    let read = tokio::task::spawn_blocking(of_host).await;
                    // Without any, every host is refused in words.
                    Arc::new(read.unwrap_or_else(|_| RootCertStore::empty()))
                }
            };
            let provider = Arc::new(aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
                .with_root_certificates(roots)
                .with_no_client_auth();
            let offering = |protocols: &[&[u8]]| {
                let mut config = config.clone();
                config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
                Arc::new(config)
            };
            Ok::<_, rustls::Error>(Configs {
                nothing: offering(&[]),
                http1: offering(&[b"http/1.1"]),
                http2_and_1: offering(&[b"h2", b"http/1.1"]),
            })
        });
        let configs = configs.await?;
        Ok(Arc::clone(match offer {
            Offer::Nothing => &configs.nothing,
            Offer::Http1 => &configs.http1,
            Offer::Http2And1 => &configs.http2_and_1,
        }))
    }
}

fn of_host() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        tracing::warn!("this machine trusts no certificate authority: no secret is sent over TLS");
    }
    roots
}

/// TLS over a connection, with a host that has proved that it is the one.
pub(crate) async fn secure(
    connection: &Connection,
    upstream: Upstream,
    host: &Host,
    port: u16,
    offer: Offer,
) -> Result<TlsStream<Upstream>, Denial> {
    let shared = &connection.attached.shared;
    let untrusted = |why: String| Denial::Untrusted(host.to_string(), why);
    let config = shared
        .trust
        .config(&shared.options.authorities, offer)
        .await;
    let config = config.map_err(|error| untrusted(words(&error.to_string())))?;
    let name = match host {
        Host::Name(name) => ServerName::try_from(name.as_str().to_owned())
            .map_err(|_| untrusted("its name is none of DNS".to_owned()))?,
        Host::Address(address) => ServerName::IpAddress((*address).into()),
    };
    let connector = TlsConnector::from(config);
    let times = connection.attached.options().times;
    match timeout(times.connect, connector.connect(name, upstream)).await {
        Ok(Ok(stream)) => Ok(stream),
        // The words are those of the library; of a certificate they may repeat names.
        Ok(Err(error)) => Err(untrusted(words(&error.to_string()))),
        Err(_) => Err(Denial::TimedOut(host.to_string(), port)),
    }
}

fn words(text: &str) -> String {
    let spaced: Vec<String> = text.split_whitespace().map(shown).collect();
    spaced.join(" ").chars().take(160).collect()
}
