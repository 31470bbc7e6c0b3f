//! Sandboxes that are made ahead of whoever will need one, so that a rename is all that is waited for.
//!
//! A pooled sandbox has its processes and its files like any other, in `pool/<label>`, and was used by
//! nobody. It is claimed by moving its directory to where sandboxes have their names. That is the one step:
//! before it the sandbox is nobody's, and the next server ends it; after it, it is as if it had been made
//! for its name, whoever is killed by then.
//!
//! **Invariant:** nothing ever goes back into the pool, and nothing in it was used.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Inner, SandboxHost, blocking, release, root_record};
use crate::error::SandboxError;
use crate::isolation::Mode;
use crate::limits::POOL_MAX;
use crate::name::SandboxName;
use crate::spec::Spec;

/// What the labels of pooled sandboxes begin with; a number follows that no other of them has, here and
/// among those that were claimed and still run in cgroups of that name.
const LABEL: &str = "hostler_pooled_";

/// Whether there is one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    Made,
    /// There are as many as there should be.
    Enough,
}

pub(super) struct Pool {
    size: usize,
    members: Mutex<Members>,
    /// Told of each claim, met or not, and of what is to be destroyed.
    asked: Notify,
}

#[derive(Default)]
struct Members {
    ready: VecDeque<Pooled>,
    /// To be destroyed: of no use, or given up halfway.
    unwanted: Vec<SandboxName>,
    /// The number of the last label.
    last: u64,
}

struct Pooled {
    label: SandboxName,
    spec: Spec,
}

/// One that is not, or no longer, ready, and that is destroyed unless it becomes so or is claimed.
/// Whoever has this is the only one to do either.
struct InHand {
    pool: Arc<Pool>,
    label: SandboxName,
    is_placed: bool,
}

impl InHand {
    fn of(pool: &Arc<Pool>, label: SandboxName) -> Self {
        let pool = Arc::clone(pool);
        let is_placed = false;
        Self {
            pool,
            label,
            is_placed,
        }
    }

    fn ready(mut self, spec: Spec) {
        self.is_placed = true;
        let label = self.label.clone();
        self.pool.lock().ready.push_back(Pooled { label, spec });
    }

    /// It is somebody's by now, or gone.
    fn settled(mut self) {
        self.is_placed = true;
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        if !self.is_placed {
            self.pool.lock().unwanted.push(self.label.clone());
            self.pool.asked.notify_one();
        }
    }
}

impl Pool {
    /// `size` is what was asked for; only what is isolated can be made ahead.
    pub(super) fn new(size: usize, mode: Mode) -> Arc<Self> {
        let size = match mode {
            Mode::Isolated => size.min(POOL_MAX),
            // Their processes know the directory that they were made with.
            Mode::Container | Mode::Pod | Mode::UnsafeProcess => 0,
        };
        Arc::new(Self {
            size,
            members: Mutex::default(),
            asked: Notify::new(),
        })
    }

    /// A new one, that there is nothing of yet.
    fn begin(self: &Arc<Self>) -> io::Result<InHand> {
        let mut members = self.lock();
        members.last += 1;
        let label = format!("{LABEL}{}", members.last);
        drop(members);
        let label = label.parse().map_err(io::Error::other)?;
        Ok(InHand::of(self, label))
    }

    /// One that was made like this.
    fn take(self: &Arc<Self>, spec: &Spec) -> Option<InHand> {
        let mut members = self.lock();
        let at = members.ready.iter().position(|one| one.spec == *spec)?;
        let taken = members.ready.remove(at)?;
        drop(members);
        Some(InHand::of(self, taken.label))
    }

    /// Those that were made otherwise are not wanted any more.
    fn keep_only(&self, spec: &Spec) {
        let mut members = self.lock();
        let all = std::mem::take(&mut members.ready);
        let (like, unlike): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.spec == *spec);
        members.ready = like.into();
        let unlike = unlike.into_iter().map(|one| one.label);
        members.unwanted.extend(unlike);
    }

    fn keep_none(&self) {
        let mut members = self.lock();
        let all = std::mem::take(&mut members.ready);
        members
            .unwanted
            .extend(all.into_iter().map(|one| one.label));
    }

    fn lock(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of a label.
fn number_of(label: &SandboxName) -> Option<u64> {
    label.as_str().strip_prefix(LABEL)?.parse().ok()
}

/// Whether this is the label of a pooled sandbox, or of one that was.
pub(super) fn is_label(name: &SandboxName) -> bool {
    number_of(name).is_some()
}

impl SandboxHost {
    /// How many sandboxes are ready for whoever asks.
    pub fn pooled(&self) -> usize {
        self.inner()
            .map_or(0, |inner| inner.pool.lock().ready.len())
    }

    /// Whether any are to be made ahead.
    pub fn has_pool(&self) -> bool {
        self.inner().is_ok_and(|inner| inner.pool.size > 0)
    }

    /// Waits until somebody has claimed a pooled sandbox, or would have.
    pub async fn pool_asked(&self) {
        match self.inner() {
            Ok(inner) => inner.pool.asked.notified().await,
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until no sandbox is being made for anybody.
    pub async fn launches_rest(&self) {
        if let Ok(inner) = self.inner() {
            inner.processes.launches_rest().await;
        }
    }

    /// Makes one more sandbox ahead, if there are too few that are made with `spec`. Those that were
    /// made with another one are destroyed.
    ///
    /// Not to be given up halfway: what was begun would stay until the next start of a server.
    pub async fn make_ahead(&self, spec: &Spec) -> Result<Ahead, SandboxError> {
        let inner = self.inner()?;
        inner.pool.keep_only(spec);
        inner.destroy_unwanted().await?;
        if self.pooled() >= inner.pool.size {
            return Ok(Ahead::Enough);
        }
        let in_hand = inner.pool.begin()?;
        inner.make_pooled(&in_hand.label, spec).await?;
        in_hand.ready(spec.clone());
        Ok(Ahead::Made)
    }

    /// Destroys all that nobody has claimed.
    pub async fn empty_pool(&self) -> Result<(), SandboxError> {
        self.inner()?.pool.keep_none();
        Ok(self.inner()?.destroy_unwanted().await?)
    }
}

impl Inner {
    async fn make_pooled(&self, label: &SandboxName, spec: &Spec) -> Result<(), SandboxError> {
        let (state, uid_base) = (Arc::clone(&self.state), self.processes.uid_base());
        let place = self.state.pooled(label);
        let begun = blocking({
            let place = place.clone();
            move || state.begin_pooled(place, uid_base)
        });
        let written = begun.await?;
        let spec = root_record::settle(&place, self.options.backend.mode(), spec)?;
        let launched = self.launch(label, &place, spec).await;
        release(written).await;
        self.demand(&launched?)?;
        tracing::debug!(%label, "a sandbox was made ahead");
        Ok(())
    }

    /// Makes a pooled sandbox the one of this name, which has no directory. `false`: none fits, and
    /// one has to be made.
    pub(super) async fn claim_pooled(&self, name: &SandboxName, spec: &Spec) -> bool {
        if self.pool.size == 0 || exists(&self.state.directory_of(name)) {
            return false;
        }
        let mut is_claimed = false;
        while !is_claimed && let Some(in_hand) = self.pool.take(spec) {
            let label = in_hand.label.clone();
            let adopted = self.adopt(in_hand, name).await;
            is_claimed = adopted.is_ok();
            match adopted {
                Ok(()) => tracing::info!(sandbox = %name, %label, "a pooled sandbox was claimed"),
                Err(error) => {
                    tracing::warn!(%label, %error, "a pooled sandbox is of no use");
                }
            }
        }
        self.pool.asked.notify_one();
        is_claimed
    }

    async fn adopt(&self, in_hand: InHand, name: &SandboxName) -> io::Result<()> {
        let place = self.state.pooled(&in_hand.label);
        if !self.processes.are_running(&place).await {
            return Err(io::Error::other("it has ended"));
        }
        let (state, name) = (Arc::clone(&self.state), name.clone());
        // What was begun here is finished, also when nobody waits for it any more.
        blocking(move || {
            state.claim_pooled(&in_hand.label, &name)?;
            in_hand.settled();
            Ok(())
        })
        .await
    }

    async fn destroy_unwanted(&self) -> io::Result<()> {
        loop {
            let Some(label) = self.pool.lock().unwanted.pop() else {
                return Ok(());
            };
            // It is unwanted again if this fails or is given up.
            let in_hand = InHand::of(&self.pool, label);
            self.discard(&in_hand.label).await?;
            in_hand.settled();
        }
    }

    /// Ends and throws away what has this label in the pool, or was begun there.
    async fn discard(&self, label: &SandboxName) -> io::Result<()> {
        let place = self.state.pooled(label);
        self.end_in(&place, label).await?;
        self.state.throw_away_pooled(label)
    }

    /// What a server before this one has left in the pool is nobody's. `cgroups` are those that have
    /// names of sandboxes here: no label is used again while there is one of it.
    pub(super) async fn reap_pool(&self, cgroups: &[SandboxName]) -> io::Result<()> {
        for label in self.state.pooled_labels()? {
            self.discard(&label).await?;
        }
        let numbers = cgroups.iter().filter_map(number_of);
        self.pool.lock().last = numbers.max().unwrap_or(0);
        Ok(())
    }
}

fn exists(directory: &Path) -> bool {
    std::fs::symlink_metadata(directory).is_ok()
}
