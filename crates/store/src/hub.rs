//! Wake-ups: "look at this session", never "here is what is new". Losing every one of them must
//! only cost latency.
//!
//! The hub also carries previews of a message that the model is writing. They are the one thing
//! that is not in the log, and a slow reader may lose some.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostler_domain::session::Summary;
use hostler_protocol::id::{EventId, SessionId};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::limits::{DIRTY_SESSIONS, PREVIEWS};
use crate::options::{StoreOptions, WakeUps};

/// A frame of a message that the model is still writing, as it goes on the wire.
#[derive(Debug, Clone)]
pub struct Preview {
    /// `event_start` or `event_delta`.
    pub name: &'static str,
    /// The type of the event that is being previewed, for the reader's filter.
    pub of: &'static str,
    /// That event's id.
    pub event_id: EventId,
    pub json: Arc<str>,
}

#[derive(Debug)]
struct Topic {
    wake: watch::Sender<()>,
    previews: broadcast::Sender<Preview>,
    /// How many [`Watch`]es there are, counted under the lock of the topics.
    watches: usize,
}

/// Who listens to which session.
#[derive(Debug)]
pub(crate) struct Hub {
    options: StoreOptions,
    topics: Mutex<HashMap<SessionId, Topic>>,
    dirty: mpsc::Sender<SessionId>,
    dirty_receiver: Mutex<Option<mpsc::Receiver<SessionId>>>,
}

impl Hub {
    pub(crate) fn new(options: StoreOptions) -> Self {
        let (dirty, receiver) = mpsc::channel(DIRTY_SESSIONS);
        Self {
            options,
            topics: Mutex::default(),
            dirty,
            dirty_receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Tells everybody who watches the session to look at it.
    pub(crate) fn wake(&self, session: SessionId) {
        if self.options.wake_ups == WakeUps::On
            && let Some(topic) = self.topics().get(&session)
        {
            topic.wake.send_replace(());
        }
    }

    /// Tells the supervisor that the session may want a runner.
    pub(crate) fn wake_supervisor(&self, session: SessionId) {
        if self.options.wake_ups == WakeUps::On {
            // A full queue is fine: the sweep finds due sessions without any wake-up.
            let _ = self.dirty.try_send(session);
        }
    }

    /// As [`Hub::wake_supervisor`], if there is anything to do for a runner, now or later.
    pub(crate) fn wake_supervisor_for(&self, session: SessionId, summary: &Summary) {
        if summary.needs_runner_at().is_some() {
            self.wake_supervisor(session);
        }
    }

    pub(crate) fn watch(self: &Arc<Self>, session: SessionId) -> Watch {
        let mut topics = self.topics();
        self.watch_topic(topic(&mut topics, session), session)
    }

    pub(crate) fn follow(self: &Arc<Self>, session: SessionId) -> Audience {
        let mut topics = self.topics();
        let topic = topic(&mut topics, session);
        Audience {
            previews: topic.previews.subscribe(),
            watch: self.watch_topic(topic, session),
        }
    }

    fn watch_topic(self: &Arc<Self>, topic: &mut Topic, session: SessionId) -> Watch {
        topic.watches += 1;
        Watch {
            wake: topic.wake.subscribe(),
            looks: looks(self.options.look_interval),
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
        self.topics()
            .get(&session)
            .is_some_and(|topic| topic.previews.receiver_count() > 0)
    }

    /// The queue of sessions to look at, for the one supervisor of this process.
    pub(crate) fn take_dirty(&self) -> Option<mpsc::Receiver<SessionId>> {
        self.dirty_receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn topics(&self) -> MutexGuard<'_, HashMap<SessionId, Topic>> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn topic(topics: &mut HashMap<SessionId, Topic>, session: SessionId) -> &mut Topic {
    topics.entry(session).or_insert_with(|| Topic {
        wake: watch::Sender::new(()),
        previews: broadcast::Sender::new(PREVIEWS),
        watches: 0,
    })
}

fn looks(period: Duration) -> Interval {
    let mut looks = interval_at(Instant::now() + period, period);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// Somebody who wants to know when to look at a session. Dropping it frees what nobody else needs.
#[derive(Debug)]
pub(crate) struct Watch {
    wake: watch::Receiver<()>,
    /// Its state outlives a cancelled wait, so that frequent cancelling can't keep it from ticking.
    looks: Interval,
    session: SessionId,
    hub: Arc<Hub>,
}

impl Watch {
    /// Waits until it is time to look: after a wake-up, or since the last look was long ago.
    /// Cancel-safe.
    pub(crate) async fn changed(&mut self) {
        tokio::select! {
            biased;
            // The sender is in the topic, which this watch keeps alive.
            Ok(()) = self.wake.changed() => self.looks.reset(),
            _ = self.looks.tick() => {}
        }
    }

    /// Whether a wake-up has come that nobody has looked after.
    pub(crate) fn is_changed(&self) -> bool {
        self.wake.has_changed().unwrap_or(false)
    }

    /// Wake-ups until now are answered by the look that follows.
    pub(crate) fn mark_seen(&mut self) {
        self.wake.mark_unchanged();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut topics = self.hub.topics();
        if let Some(topic) = topics.get_mut(&self.session) {
            topic.watches -= 1;
            if topic.watches == 0 {
                topics.remove(&self.session);
            }
        }
    }
}

/// A [`Watch`] that is also shown previews.
#[derive(Debug)]
pub(crate) struct Audience {
    pub(crate) previews: broadcast::Receiver<Preview>,
    pub(crate) watch: Watch,
}

/// Wake-ups of one session, for its runner.
#[derive(Debug)]
pub struct Wakes(pub(crate) Watch);

impl Wakes {
    /// Waits until it is time to look at the session: it may have changed. Cancel-safe.
    pub async fn changed(&mut self) {
        self.0.changed().await;
    }
}
