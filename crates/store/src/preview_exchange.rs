//! Previews on their way between the processes that share a database. Somebody else carries them,
//! and may lose some: this says what is to be carried, and takes what has arrived.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_protocol::id::SessionId;
use tokio::sync::{Notify, mpsc};

use crate::hub::Hub;
use crate::limits::PREVIEWS_WAITING;
use crate::preview_message;
use crate::previews::Preview;
use crate::{Store, StoreError};

/// What whoever carries previews is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Errand {
    /// To all other processes where the session is followed.
    Carry(SessionId, Vec<u8>),
    /// Somebody here follows it.
    Follow(SessionId),
    /// Nobody here does any more.
    Leave(SessionId),
}

/// The end of the hub.
#[derive(Debug)]
pub(crate) struct Outbox {
    previews: mpsc::Sender<(SessionId, Preview)>,
    interest: Arc<Interest>,
}

/// Sessions whose followers have come or gone since it was last asked: no more than are followed.
#[derive(Debug, Default)]
struct Interest {
    changed: Mutex<BTreeSet<SessionId>>,
    told: Notify,
}

/// The end of whoever carries.
#[derive(Debug)]
pub struct PreviewExchange {
    hub: Arc<Hub>,
    previews: mpsc::Receiver<(SessionId, Preview)>,
    interest: Arc<Interest>,
}

impl Store {
    /// From now on previews are made for followers in other processes, too, and those of other
    /// processes are taken.
    ///
    /// # Errors
    /// When somebody carries them already.
    pub fn exchange_previews(&self) -> Result<PreviewExchange, StoreError> {
        let (sender, previews) = mpsc::channel(PREVIEWS_WAITING);
        let interest = Arc::new(Interest::default());
        let outbox = Outbox {
            previews: sender,
            interest: Arc::clone(&interest),
        };
        if !self.hub.share_previews_by(outbox) {
            let what = "previews are carried already".to_owned();
            return Err(StoreError::Corrupt { what });
        }
        for session in self.hub.followed() {
            interest.add(session);
        }
        Ok(PreviewExchange {
            hub: Arc::clone(&self.hub),
            previews,
            interest,
        })
    }
}

impl Outbox {
    pub(crate) fn send(&self, session: SessionId, preview: Preview) {
        // One that is lost ends the previews of its event elsewhere, and nothing more.
        let _ = self.previews.try_send((session, preview));
    }

    pub(crate) fn interest_changed(&self, session: SessionId) {
        self.interest.add(session);
    }
}

impl Interest {
    fn add(&self, session: SessionId) {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.insert(session);
        self.told.notify_one();
    }

    /// Cancel-safe: one that was taken is answered at once.
    async fn next(&self) -> SessionId {
        loop {
            if let Some(session) = self.take() {
                return session;
            }
            self.told.notified().await;
        }
    }

    fn take(&self) -> Option<SessionId> {
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        changed.pop_first()
    }
}

impl PreviewExchange {
    /// Waits for something to do. To follow what is followed, or to leave what is not, is nothing.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Errand {
        loop {
            tokio::select! {
                biased;
                session = self.interest.next() => {
                    return match self.hub.has_followers(session) {
                        true => Errand::Follow(session),
                        false => Errand::Leave(session),
                    };
                }
                Some((session, preview)) = self.previews.recv() => {
                    if let Some(message) = preview_message::write(&preview) {
                        return Errand::Carry(session, message);
                    }
                }
            }
        }
    }

    /// What another process has made. What can't be read is passed over.
    pub fn deliver(&self, session: SessionId, message: &[u8]) {
        match preview_message::read(message) {
            Some(preview) => self.hub.preview_from_elsewhere(session, preview),
            None => tracing::debug!(%session, "a preview of another server can't be read"),
        }
    }
}
