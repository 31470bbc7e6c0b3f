//! Carries previews between the servers of one database: from the store to NATS and back.

use bytes::Bytes;
use hostler_relay::{Relay, RelayOptions};
use hostler_store::{Errand, PreviewExchange, Store};
use tokio_util::sync::CancellationToken;

/// What has to be there before a server starts to act: from then on previews are made for others, too.
pub(crate) struct Carrier {
    relay: Relay,
    exchange: PreviewExchange,
}

impl Carrier {
    /// Does not wait for a server of NATS: without one previews stay here. `None`: none is named.
    pub(crate) async fn new(
        options: Option<&RelayOptions>,
        store: &Store,
    ) -> anyhow::Result<Option<Self>> {
        let Some(options) = options else {
            return Ok(None);
        };
        let encrypted = options.servers.iter().all(|one| one.is_encrypted());
        if !encrypted {
            tracing::warn!("previews of what models write go to NATS without encryption");
        }
        Ok(Some(Self {
            relay: Relay::connect(options).await?,
            exchange: store.exchange_previews()?,
        }))
    }

    pub(crate) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        stop.run_until_cancelled(async {
            loop {
                self.carry().await;
            }
        })
        .await;
        Ok(())
    }

    /// Both waits are cancel-safe.
    async fn carry(&mut self) {
        tokio::select! {
            errand = self.exchange.next() => match errand {
                Errand::Carry(session, message) => {
                    self.relay.send(&session.to_string(), Bytes::from(message)).await;
                }
                Errand::Follow(session) => self.relay.follow(&session.to_string()).await,
                Errand::Leave(session) => self.relay.leave(&session.to_string()),
            },
            (topic, message) = self.relay.next() => {
                if let Ok(session) = topic.parse() {
                    self.exchange.deliver(session, &message);
                }
            }
        }
    }
}
