//! Wake-ups: "look at this session", never "here is what is new". Losing every one of them must
//! only cost latency.
//!
//! The hub also carries previews of a message that the model is writing. They are the one thing
//! that is not in the log, and a slow reader may lose some.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_protocol::id::SessionId;
use tokio::sync::{broadcast, mpsc, watch};

/// Previews that a slow reader may lag behind before it loses some.
const PREVIEWS: usize = 256;
/// Sessions that wait for a runner before further wake-ups are left to the sweep.
const DIRTY_SESSIONS: usize = 4_096;

/// A frame of a message that the model is still writing, as it goes on the wire.
#[derive(Debug, Clone)]
pub struct Preview {
    /// `event_start` or `event_delta`.
    pub name: &'static str,
    /// The type of the event that is being previewed, for the reader's filter.
    pub of: &'static str,
    pub json: Arc<str>,
}

#[derive(Debug)]
struct Topic {
    wake: watch::Sender<()>,
    previews: broadcast::Sender<Preview>,
}

/// Who listens to which session.
#[derive(Debug)]
pub(crate) struct Hub {
    topics: Mutex<HashMap<SessionId, Topic>>,
    dirty: mpsc::Sender<SessionId>,
    dirty_receiver: Mutex<Option<mpsc::Receiver<SessionId>>>,
}

impl Hub {
    pub(crate) fn new() -> Self {
        let (dirty, receiver) = mpsc::channel(DIRTY_SESSIONS);
        Self {
            topics: Mutex::default(),
            dirty,
            dirty_receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Tells followers and the supervisor to look at the session.
    pub(crate) fn wake(&self, session: SessionId) {
        if let Some(topic) = self.topics().get(&session) {
            topic.wake.send_replace(());
        }
        // A full queue is fine: the sweep finds due sessions without any wake-up.
        let _ = self.dirty.try_send(session);
    }

    pub(crate) fn subscribe(self: &Arc<Self>, session: SessionId) -> Subscription {
        let mut topics = self.topics();
        let topic = topics.entry(session).or_insert_with(|| Topic {
            wake: watch::Sender::new(()),
            previews: broadcast::Sender::new(PREVIEWS),
        });
        Subscription {
            wake: topic.wake.subscribe(),
            previews: topic.previews.subscribe(),
            session,
            hub: Arc::clone(self),
        }
    }

    pub(crate) fn preview(&self, session: SessionId, preview: Preview) {
        if let Some(topic) = self.topics().get(&session) {
            // No reader is no failure.
            let _ = topic.previews.send(preview);
        }
    }

    /// Whether anybody would see a preview, so that none is made for nobody.
    pub(crate) fn has_followers(&self, session: SessionId) -> bool {
        self.topics().contains_key(&session)
    }

    /// The queue of sessions to look at, for the one supervisor of this process.
    pub(crate) fn take_dirty(&self) -> Option<mpsc::Receiver<SessionId>> {
        self.dirty_receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn topics(&self) -> std::sync::MutexGuard<'_, HashMap<SessionId, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the audience of a session; leaving it frees what nobody else needs.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) wake: watch::Receiver<()>,
    pub(crate) previews: broadcast::Receiver<Preview>,
    session: SessionId,
    hub: Arc<Hub>,
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut topics = self.hub.topics();
        // This subscription still counts as one receiver.
        if topics
            .get(&self.session)
            .is_some_and(|topic| topic.wake.receiver_count() <= 1)
        {
            topics.remove(&self.session);
        }
    }
}
