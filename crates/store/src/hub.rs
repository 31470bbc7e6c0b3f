//! Wake-ups: "look at this session", never "here is what is new". Losing every one of them must
//! only cost latency.
//!
//! The hub is also where those who watch the same session find what they share: the tail of its
//! log (`tail.rs`) and the previews of what a model is writing (`previews.rs`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use hostler_domain::session::Summary;
use hostler_protocol::event::Seq;
use hostler_protocol::id::{EventId, SessionId};
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::bell::{Bell, Heard};
use crate::db::Announcer;
use crate::limits::DIRTY_SESSIONS;
use crate::options::{StoreOptions, WakeUps};
use crate::preview_exchange::Outbox;
use crate::previews::{Place, Preview, Previews};
use crate::tail::{Tail, TailBudget};

#[derive(Debug)]
struct Topic {
    channel: Arc<Channel>,
    /// How many [`Watch`]es there are, counted under the lock of the topics.
    watches: usize,
}

/// What those who watch one session share.
#[derive(Debug)]
pub(crate) struct Channel {
    wake: Bell,
    /// As `wake`, without what can wait until a runner has done its step.
    break_in: Bell,
    pub(crate) tail: Arc<Tail>,
    pub(crate) previews: Previews,
    followers: AtomicUsize,
    /// Runners in this process: one, or none.
    runners: AtomicUsize,
    /// Where the log ends at least, by the wake-ups so far.
    grown_to: AtomicI64,
    /// The same by those that can't wait.
    broken_in_at: AtomicI64,
    /// Wake-ups that did not say where the log ends. None of them can wait.
    unexplained: AtomicU64,
}

impl Channel {
    fn wake(&self, growth: Growth) {
        let breaks_in = match growth {
            Growth::To(end, urgency) => {
                self.grown_to.fetch_max(end.0, Ordering::SeqCst);
                if urgency == Urgency::BreaksIn {
                    self.broken_in_at.fetch_max(end.0, Ordering::SeqCst);
                }
                urgency == Urgency::BreaksIn
            }
            Growth::Unknown => {
                self.unexplained.fetch_add(1, Ordering::SeqCst);
                true
            }
        };
        self.tail.ask();
        self.wake.ring();
        if breaks_in {
            self.break_in.ring();
        }
    }

    fn has_followers(&self) -> bool {
        self.followers.load(Ordering::SeqCst) > 0
    }

    /// Whether more than one reader follows the session.
    pub(crate) fn is_shared(&self) -> bool {
        self.followers.load(Ordering::Relaxed) > 1
    }
}

/// Whether a runner has to look at what is new while it waits for a model or tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// It may change what is being done, as an interrupt does.
    BreaksIn,
    /// It is there when the step is done, as another message is. Readers look at once all the same.
    Waits,
}

/// What the sender of a wake-up knows of the log. Who has read that far already need not look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Growth {
    /// It ends there at least.
    To(Seq, Urgency),
    /// Anything may have happened.
    Unknown,
}

/// Why it is time to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woken {
    ByAppend,
    /// Nobody has said anything for long.
    ByTime,
}

/// Who listens to which session.
#[derive(Debug)]
pub(crate) struct Hub {
    options: StoreOptions,
    topics: Mutex<HashMap<SessionId, Topic>>,
    tail_budget: Arc<TailBudget>,
    dirty: mpsc::Sender<SessionId>,
    dirty_receiver: Mutex<Option<mpsc::Receiver<SessionId>>>,
    /// Where there may be other processes.
    announcer: OnceLock<Announcer>,
    /// Where somebody carries previews to them and back.
    outbox: OnceLock<Outbox>,
}

impl Hub {
    pub(crate) fn new(options: StoreOptions) -> Self {
        let (dirty, receiver) = mpsc::channel(DIRTY_SESSIONS);
        Self {
            options,
            topics: Mutex::default(),
            tail_budget: Arc::default(),
            dirty,
            dirty_receiver: Mutex::new(Some(receiver)),
            announcer: OnceLock::new(),
            outbox: OnceLock::new(),
        }
    }

    /// Tells everybody who watches the session to look at it, in other processes too.
    pub(crate) fn wake(&self, session: SessionId, growth: Growth) {
        if self.options.wake_ups == WakeUps::On {
            self.wake_here(session, growth);
            if let Some(announcer) = self.announcer.get() {
                announcer.announce(session, growth);
            }
        }
    }

    /// As [`Hub::wake`], for what another process has done.
    pub(crate) fn wake_here(&self, session: SessionId, growth: Growth) {
        if let Some(topic) = self.topics().get(&session) {
            topic.channel.wake(growth);
        }
    }

    /// For when wake-ups may have been missed.
    pub(crate) fn wake_all(&self) {
        for topic in self.topics().values() {
            topic.channel.wake(Growth::Unknown);
        }
    }

    /// From now on other processes are told, too.
    pub(crate) fn announce_by(&self, announcer: Announcer) {
        // There is one database, so this comes once.
        let _ = self.announcer.set(announcer);
    }

    /// Tells the supervisor that the session may want a runner.
    pub(crate) fn wake_supervisor(&self, session: SessionId) {
        if self.options.wake_ups == WakeUps::On {
            // A full queue is fine: the sweep finds due sessions without any wake-up.
            let _ = self.dirty.try_send(session);
        }
    }

    /// As [`Hub::wake_supervisor`], if there is anything to do for a runner, now or later. One that
    /// is here is woken itself; at its end the supervisor looks again.
    pub(crate) fn wake_supervisor_for(&self, session: SessionId, summary: &Summary) {
        if summary.needs_runner_at().is_some() && !self.has_runner(session) {
            self.wake_supervisor(session);
        }
    }

    fn has_runner(&self, session: SessionId) -> bool {
        let channel = self.channel(session);
        channel.is_some_and(|channel| channel.runners.load(Ordering::SeqCst) > 0)
    }

    pub(crate) fn watch(self: &Arc<Self>, session: SessionId) -> Watch {
        let mut topics = self.topics();
        let topic = topics.entry(session).or_insert_with(|| Topic {
            channel: Arc::new(Channel {
                wake: Bell::default(),
                break_in: Bell::default(),
                tail: Arc::new(Tail::new(Arc::clone(&self.tail_budget))),
                previews: Previews::default(),
                followers: AtomicUsize::new(0),
                runners: AtomicUsize::new(0),
                grown_to: AtomicI64::new(0),
                broken_in_at: AtomicI64::new(0),
                unexplained: AtomicU64::new(0),
            }),
            watches: 0,
        });
        topic.watches += 1;
        Watch {
            wake: topic.channel.wake.heard(),
            break_in: topic.channel.break_in.heard(),
            channel: Arc::clone(&topic.channel),
            looks: looks(self.options.look_interval),
            session,
            hub: Arc::clone(self),
        }
    }

    pub(crate) fn follow(self: &Arc<Self>, session: SessionId) -> Audience {
        let watch = self.watch(session);
        let before = watch.channel.followers.fetch_add(1, Ordering::SeqCst);
        if before == 0 {
            self.interest_changed(session);
        }
        Audience {
            place: watch.channel.previews.end(),
            watch,
        }
    }

    fn interest_changed(&self, session: SessionId) {
        if let Some(outbox) = self.outbox.get() {
            outbox.interest_changed(session);
        }
    }

    pub(crate) fn preview(&self, session: SessionId, preview: Preview) {
        if let Some(outbox) = self.outbox.get() {
            outbox.send(session, preview.clone());
        }
        let channel = self.channel(session);
        // No reader is no failure.
        if let Some(channel) = channel.filter(|channel| channel.has_followers()) {
            channel.previews.publish(preview);
        }
    }

    /// As [`Hub::preview`], for one that has come from another process.
    pub(crate) fn preview_from_elsewhere(&self, session: SessionId, preview: Preview) {
        let channel = self.channel(session);
        if let Some(channel) = channel.filter(|channel| channel.has_followers()) {
            channel.previews.deliver(preview);
        }
    }

    /// From now on previews go to other processes, too. `false`: they do already.
    pub(crate) fn share_previews_by(&self, outbox: Outbox) -> bool {
        self.outbox.set(outbox).is_ok()
    }

    pub(crate) fn shares_previews(&self) -> bool {
        self.outbox.get().is_some()
    }

    /// Sessions that somebody here follows.
    pub(crate) fn followed(&self) -> Vec<SessionId> {
        let topics = self.topics();
        let followed = topics
            .iter()
            .filter(|(_, topic)| topic.channel.has_followers());
        followed.map(|(session, _)| *session).collect()
    }

    /// Previews of `events` are of no use any more.
    pub(crate) fn previews_superseded(&self, session: SessionId, events: &[EventId]) {
        if !events.is_empty()
            && let Some(channel) = self.channel(session)
        {
            channel.previews.superseded_by(events);
        }
    }

    /// Whether anybody may see a preview, so that none is made for nobody.
    pub(crate) fn may_have_followers(&self, session: SessionId) -> bool {
        self.shares_previews() || self.has_followers(session)
    }

    /// Whether anybody here would see one.
    pub(crate) fn has_followers(&self, session: SessionId) -> bool {
        self.channel(session)
            .is_some_and(|channel| channel.has_followers())
    }

    fn channel(&self, session: SessionId) -> Option<Arc<Channel>> {
        let topics = self.topics();
        topics.get(&session).map(|topic| Arc::clone(&topic.channel))
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

fn looks(period: Duration) -> Interval {
    let mut looks = interval_at(Instant::now() + period, period);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

/// Somebody who wants to know when to look at a session. Dropping it frees what nobody else needs.
#[derive(Debug)]
pub(crate) struct Watch {
    wake: Heard,
    break_in: Heard,
    channel: Arc<Channel>,
    /// Its state outlives a cancelled wait, so that frequent cancelling can't keep it from ticking.
    looks: Interval,
    session: SessionId,
    hub: Arc<Hub>,
}

impl Watch {
    /// Waits until it is time to look: after a wake-up, or since the last look was long ago.
    /// Cancel-safe.
    pub(crate) async fn changed(&mut self) -> Woken {
        tokio::select! {
            biased;
            () = self.channel.wake.ringing(&mut self.wake) => {
                self.looks.reset();
                Woken::ByAppend
            }
            _ = self.looks.tick() => Woken::ByTime,
        }
    }

    /// As [`Watch::changed`], but what can wait does not end it. Cancel-safe.
    async fn broken_in(&mut self) -> Woken {
        tokio::select! {
            biased;
            () = self.channel.break_in.ringing(&mut self.break_in) => {
                self.looks.reset();
                Woken::ByAppend
            }
            _ = self.looks.tick() => Woken::ByTime,
        }
    }

    /// How long it waits without a wake-up.
    pub(crate) fn period(&self) -> Duration {
        self.looks.period()
    }

    /// Whether a wake-up has come that nobody has looked after.
    pub(crate) fn is_changed(&self) -> bool {
        self.wake != self.channel.wake.heard()
    }

    /// Wake-ups until now are answered by the look that follows.
    pub(crate) fn mark_seen(&mut self) {
        self.wake = self.channel.wake.heard();
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
    pub(crate) watch: Watch,
    /// The next preview.
    pub(crate) place: Place,
}

impl Audience {
    pub(crate) fn channel(&self) -> &Arc<Channel> {
        &self.watch.channel
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        let before = self.watch.channel.followers.fetch_sub(1, Ordering::SeqCst);
        if before == 1 {
            self.watch.hub.interest_changed(self.watch.session);
        }
    }
}

/// Wake-ups of one session, for its runner, which they say is here.
#[derive(Debug)]
pub struct RunnerWakes(Wakes);

impl RunnerWakes {
    pub(crate) fn new(watch: Watch) -> Self {
        watch.channel.runners.fetch_add(1, Ordering::SeqCst);
        Self(Wakes::new(watch))
    }
}

impl std::ops::Deref for RunnerWakes {
    type Target = Wakes;

    fn deref(&self) -> &Wakes {
        &self.0
    }
}

impl std::ops::DerefMut for RunnerWakes {
    fn deref_mut(&mut self) -> &mut Wakes {
        &mut self.0
    }
}

impl Drop for RunnerWakes {
    fn drop(&mut self) {
        self.0.watch.channel.runners.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Wake-ups of one session.
#[derive(Debug)]
pub struct Wakes {
    watch: Watch,
    /// The unexplained wake-ups that were answered by a look.
    answered: u64,
}

impl Wakes {
    pub(crate) fn new(watch: Watch) -> Self {
        Self {
            answered: watch.channel.unexplained.load(Ordering::SeqCst),
            watch,
        }
    }

    /// Waits until it is time to look at the session behind `known`: it may have changed.
    /// Cancel-safe.
    pub async fn changed(&mut self, known: Seq) {
        loop {
            match self.watch.changed().await {
                // As after the runner's own appends.
                Woken::ByAppend if !self.has_grown(known) => {}
                Woken::ByAppend | Woken::ByTime => return,
            }
        }
    }

    /// As [`Wakes::changed`], for a runner in the middle of a step: only what may change that step
    /// counts. Cancel-safe.
    pub async fn broken_in(&mut self, known: Seq) {
        loop {
            match self.watch.broken_in().await {
                Woken::ByAppend if !self.is_broken_in(known) => {}
                Woken::ByAppend | Woken::ByTime => return,
            }
        }
    }

    /// Whether there is a wake-up that [`Wakes::changed`] would not wait for. It is used up.
    pub fn take_changed(&mut self, known: Seq) -> bool {
        let is_changed = self.watch.is_changed();
        self.watch.mark_seen();
        is_changed && self.has_grown(known)
    }

    fn has_grown(&mut self, known: Seq) -> bool {
        self.is_unexplained() || self.watch.channel.grown_to.load(Ordering::SeqCst) > known.0
    }

    fn is_broken_in(&mut self, known: Seq) -> bool {
        self.is_unexplained() || self.watch.channel.broken_in_at.load(Ordering::SeqCst) > known.0
    }

    /// Whether there was a wake-up that any look answers, the one that follows now.
    fn is_unexplained(&mut self) -> bool {
        let unexplained = self.watch.channel.unexplained.load(Ordering::SeqCst);
        std::mem::replace(&mut self.answered, unexplained) != unexplained
    }
}
