//! Whom pages have to be vouched for by: the authorities that the machine trusts, read once.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore, version};
use tokio::sync::OnceCell;

/// Made when it is needed first.
#[derive(Debug, Default)]
pub(crate) struct Trust(OnceCell<ClientConfig>);

impl Trust {
    pub(crate) async fn config(&self) -> Result<ClientConfig, rustls::Error> {
        let config = self.0.get_or_try_init(|| async {
            let read = tokio::task::spawn_blocking(of_host).await;
            // Without any, every host is refused in words.
            let roots = Arc::new(read.unwrap_or_else(|_| RootCertStore::empty()));
            let provider = Arc::new(aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok::<_, rustls::Error>(config)
        });
        config.await.cloned()
    }
}

fn of_host() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        tracing::warn!("this machine trusts no certificate authority: no page is fetched over TLS");
    }
    roots
}
