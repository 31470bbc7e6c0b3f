//! The connection, and the topics that are followed on it.
//!
//! **Invariant:** nothing is kept for a server that can't be reached: a message that can't be sent now is
//! dropped, so that none arrives when it is old.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use tokio_util::sync::CancellationToken;

use crate::limits::{
    COMMANDS_WAITING, CONNECT_TIME, MESSAGE_BYTES_MAX, MESSAGES_WAITING, PING_INTERVAL,
    RECONNECT_PAUSE_MAX, RECONNECT_PAUSE_MIN,
};
use crate::options::{Credential, RelayOptions};

#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// In the words of the client: it names no secret.
    #[error("{0}")]
    NotConnected(async_nats::ConnectError),
    #[error("the credentials file can't be used: {0}")]
    Credentials(std::io::Error),
    #[error("the server does not answer: {0}")]
    Silent(String),
    #[error("a topic can't be followed: {0}")]
    NotFollowed(String),
}

/// A connection to one of the servers. It is made again when it breaks, and then has the same topics.
pub struct Relay {
    client: Client,
    prefix: String,
    /// What ends the following of each topic.
    followed: HashMap<String, CancellationToken>,
    arriving: SelectAll<BoxStream<'static, (String, Bytes)>>,
}

impl Relay {
    /// Answers at once, and connects whenever a server can be reached.
    ///
    /// # Errors
    /// When the options can't be used at all, such as a credential that is none.
    pub async fn connect(options: &RelayOptions) -> Result<Self, RelayError> {
        let connecting = connect_options(options)?
            .retry_on_initial_connect()
            .max_reconnects(None)
            // What a server here says comes to it by itself.
            .no_echo();
        Ok(Self {
            client: open(options, connecting).await?,
            prefix: options.prefix.clone(),
            followed: HashMap::new(),
            arriving: SelectAll::new(),
        })
    }

    /// Whether a server can be reached, takes the credential, and lets this one speak and hear.
    ///
    /// # Errors
    /// In words for the owner of the server.
    pub async fn check(options: &RelayOptions) -> Result<(), RelayError> {
        let client = open(options, connect_options(options)?).await?;
        let silent = |error: &dyn std::fmt::Display| RelayError::Silent(error.to_string());
        let topic = format!("{}.check", options.prefix);
        let hears = async {
            let mut heard = client
                .subscribe(topic.clone())
                .await
                .map_err(|error| RelayError::NotFollowed(error.to_string()))?;
            client
                .publish(topic.clone(), Bytes::from_static(b"check"))
                .await
                .map_err(|error| silent(&error))?;
            client.flush().await.map_err(|error| silent(&error))?;
            heard
                .next()
                .await
                .map(drop)
                .ok_or_else(|| silent(&"it ended the connection"))
        };
        tokio::time::timeout(CONNECT_TIME, hears)
            .await
            .unwrap_or_else(|_| {
                let reason = "nothing that is said under the prefix is heard; may this user publish and \
                              subscribe there?";
                Err(silent(&reason))
            })
    }

    /// Sends a message to all others who follow the topic, if it can be sent now.
    pub async fn send(&mut self, topic: &str, message: Bytes) {
        if message.len() > MESSAGE_BYTES_MAX || self.client.connection_state() != State::Connected {
            return;
        }
        let sent = self.client.publish(self.subject(topic), message).await;
        if let Err(error) = sent {
            tracing::debug!(%error, "a message can't be sent to other servers");
        }
    }

    /// From now on what others say there is told by [`Relay::next`].
    pub async fn follow(&mut self, topic: &str) {
        if self.followed.contains_key(topic) {
            return;
        }
        let subscriber = match self.client.subscribe(self.subject(topic)).await {
            Ok(subscriber) => subscriber,
            Err(error) => {
                tracing::warn!(%error, "a topic of other servers can't be followed");
                return;
            }
        };
        let end = CancellationToken::new();
        let name = topic.to_owned();
        let messages = subscriber
            .take_until(end.clone().cancelled_owned())
            .map(move |message| (name.clone(), message.payload));
        self.arriving.push(messages.boxed());
        self.followed.insert(topic.to_owned(), end);
    }

    pub fn leave(&mut self, topic: &str) {
        if let Some(end) = self.followed.remove(topic) {
            end.cancel();
        }
    }

    /// The next message of another server: topic and text. Cancel-safe.
    pub async fn next(&mut self) -> (String, Bytes) {
        loop {
            match self.arriving.next().await {
                Some((_, message)) if message.len() > MESSAGE_BYTES_MAX => {}
                // What came before the topic was left is of no use any more.
                Some((topic, _)) if !self.followed.contains_key(&topic) => {}
                Some(arrived) => return arrived,
                // Until a topic is followed, which this wait is given up for.
                None => std::future::pending().await,
            }
        }
    }

    fn subject(&self, topic: &str) -> String {
        format!("{}.{topic}", self.prefix)
    }
}

fn connect_options(options: &RelayOptions) -> Result<ConnectOptions, RelayError> {
    let connecting = ConnectOptions::new()
        .name(&options.name)
        .ignore_discovered_servers()
        .connection_timeout(CONNECT_TIME)
        .ping_interval(PING_INTERVAL)
        .subscription_capacity(MESSAGES_WAITING)
        .client_capacity(COMMANDS_WAITING)
        .reconnect_delay_callback(pause)
        .require_tls(
            options
                .servers
                .iter()
                .all(crate::ServerAddress::is_encrypted),
        )
        .event_callback(|event| async move { tell(&event) });
    let connecting = match &options.ca_file {
        Some(file) => connecting.add_root_certificates(file.clone()),
        None => connecting,
    };
    match &options.credential {
        Credential::None => Ok(connecting),
        Credential::Token(token) => Ok(connecting.token(token.expose().to_owned())),
        Credential::Password { user, password } => {
            Ok(connecting.user_and_password(user.clone(), password.expose().to_owned()))
        }
        Credential::Creds(text) => connecting
            .credentials(text.expose())
            .map_err(RelayError::Credentials),
    }
}

async fn open(options: &RelayOptions, connecting: ConnectOptions) -> Result<Client, RelayError> {
    let servers: Vec<_> = options.servers.iter().map(|one| one.0.clone()).collect();
    let connected = connecting.connect(servers).await;
    connected.map_err(RelayError::NotConnected)
}

fn pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(16);
    let pause = RECONNECT_PAUSE_MIN.saturating_mul(1 << doublings);
    pause.min(RECONNECT_PAUSE_MAX)
}

fn tell(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS: previews reach other servers"),
        Event::Disconnected => {
            tracing::warn!(
                "NATS can't be reached: previews stay with the server that runs a session"
            );
        }
        Event::ServerError(error) => tracing::warn!(%error, "NATS"),
        Event::ClientError(error) => tracing::warn!(%error, "NATS"),
        // Previews that were lost are missed by nobody.
        Event::SlowConsumer(_) | Event::LameDuckMode | Event::Draining | Event::Closed => {
            tracing::debug!(%event, "NATS");
        }
    }
}
