//! Who may act for a session. A lease is taken for a while, renewed, and fenced by its epoch:
//! whoever holds an old one can append nothing. Nobody waits until a lease is on disk: an append
//! under it is there only if the lease is, and after a crash there is nobody to hold one.

use std::sync::Arc;
use std::time::Duration;

use hostler_domain::session::CLOCK_TOLERANCE;
use hostler_protocol::Timestamp;
use hostler_protocol::event::Epoch;
use hostler_protocol::id::SessionId;

use crate::db::{Scope, Tx};
use crate::parameter::Parameter;
use crate::{LeaseClock, RunnerWakes, Store, StoreError, Wakes};

/// The right to append as the session's runner, until somebody else takes it.
#[derive(Debug, Clone)]
pub struct Lease {
    pub session: SessionId,
    /// Which holder this is: one more with each claim.
    pub epoch: Epoch,
    pub owner: Arc<str>,
    /// How often the session was taken since it last got on or was given back, this time included.
    pub takes: u32,
}

/// What became of asking for a lease.
#[derive(Debug, Clone)]
pub enum Claim {
    Taken(Lease),
    /// Somebody else has it, or the session is gone.
    NotFree,
    /// It is free, and was taken so often already without getting on.
    Suspect {
        takes: u32,
    },
}

// An owner that claims again has lost track of its runner: that one is fenced off like anybody.
pub(crate) const CLAIM: &str = "\
    update sessions set lease_owner = $2, lease_epoch = lease_epoch + 1, lease_expires_at = $4, \
    takes = coalesce(takes, 0) + 1 \
    where id = $1 and (lease_owner is null or lease_owner = $2 or lease_expires_at <= $3) \
    and coalesce(takes, 0) < $5 \
    returning lease_epoch, takes";

const TAKES_OF_FREE: &str = "\
    select coalesce(takes, 0) from sessions \
    where id = $1 and (lease_owner is null or lease_owner = $2 or lease_expires_at <= $3)";

const FORGET_TAKES: &str = "update sessions set takes = null where key = $1";

const PARDON: &str = "\
    update sessions set takes = null where id = $1 and lease_owner = $2 and lease_epoch = $3";

const RENEW_LEASES: &str = "\
    update sessions set lease_expires_at = $2 where lease_owner = $1 returning id";

const RELEASE: &str = "\
    update sessions set lease_owner = null, lease_expires_at = 0, takes = null \
    where id = $1 and lease_owner = $2 and lease_epoch = $3 \
    returning needs_runner_at is not null and needs_runner_at <= updated_at";

const RELEASE_STRAY: &str = "\
    update sessions set lease_owner = null, lease_expires_at = 0, takes = null \
    where id = $1 and lease_owner = $2 \
    returning needs_runner_at is not null and needs_runner_at <= updated_at";

const FREE_ALL_LEASES: &str = "\
    update sessions set lease_owner = null, lease_expires_at = 0 where lease_owner is not null";

const FREE_LEASES_OF: &str = "\
    update sessions set lease_owner = null, lease_expires_at = 0 \
    where lease_owner is not null and substr(lease_owner, 1, length($1)) = $1";

const GIVE_BACK_ALL: &str = "\
    update sessions set lease_owner = null, lease_expires_at = 0, takes = null \
    where lease_owner = $1";

const SESSIONS_DUE: &str = "\
    select id from sessions \
    where needs_runner_at <= $1 and (lease_owner is null or lease_expires_at <= $3) \
    order by needs_runner_at, id limit $2";

/// As [`hostler_domain::session::Summary::is_due`] where the clock was set back.
const SESSIONS_AHEAD: &str = "\
    select id from sessions \
    where needs_runner_at > $1 and updated_at > $4 \
    and (needs_runner_at <= updated_at or status = 'rescheduling') \
    and (lease_owner is null or lease_expires_at <= $3) order by needs_runner_at, id limit $2";

impl LeaseClock {
    fn now(self, tx: &Tx<'_>, callers: Timestamp) -> Result<Timestamp, StoreError> {
        match self {
            Self::Shared => tx.now(callers),
            Self::Callers => Ok(callers),
        }
    }
}

impl Store {
    /// Takes the lease of a session if it is free, has expired, or is `owner`'s own; every claim
    /// makes all leases before it worthless. One that was taken `takes_max` times without getting
    /// on is left as it is.
    pub async fn claim(
        &self,
        session: SessionId,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
        takes_max: u32,
    ) -> Result<Claim, StoreError> {
        let holder: Arc<str> = owner.into();
        let clock = self.lease_clock;
        let claim = move |tx: &Tx<'_>| {
            let now = clock.now(tx, now)?;
            let (id, expires_at) = (session.to_string(), now.plus(ttl).as_micros());
            let now = now.as_micros();
            let parameters: [&dyn Parameter; 5] = [&id, &holder, &now, &expires_at, &takes_max];
            let taken = tx.one(CLAIM, &parameters, |row| {
                Ok((Epoch(row.integer(0)?), count(row.integer(1)?)))
            })?;
            if let Some((epoch, takes)) = taken {
                return Ok(Claim::Taken(Lease {
                    session,
                    epoch,
                    owner: holder,
                    takes,
                }));
            }
            let takes = tx.one(TAKES_OF_FREE, &[&id, &holder, &now], |row| row.integer(0))?;
            Ok(match takes.map(count) {
                Some(takes) => Claim::Suspect { takes },
                None => Claim::NotFree,
            })
        };
        let scope = Scope::Session(session);
        self.db.write_unsynced(scope, claim, |_| {}).await
    }

    /// The holder of `lease` has had it for so long that it does no harm.
    pub async fn pardon(&self, lease: &Lease) -> Result<(), StoreError> {
        let lease = lease.clone();
        let scope = Scope::Session(lease.session);
        let pardon = move |tx: &Tx<'_>| {
            let id = lease.session.to_string();
            tx.execute(PARDON, &[&id, &lease.owner, &lease.epoch.0])
                .map(drop)
        };
        self.db.write_unsynced(scope, pardon, |()| {}).await
    }

    /// Everything that `owner` holds, when its process ends because it was asked to.
    pub async fn give_back_all(&self, owner: &str) -> Result<(), StoreError> {
        let owner = owner.to_owned();
        let give_back = move |tx: &Tx<'_>| tx.execute(GIVE_BACK_ALL, &[&owner]).map(drop);
        self.db
            .write_unsynced(Scope::OwnLeases, give_back, |()| {})
            .await
    }

    /// Prolongs everything that `owner` holds, which is answered: it runs out `ttl` from now.
    pub async fn renew_leases(
        &self,
        owner: &str,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Vec<SessionId>, StoreError> {
        let owner = owner.to_owned();
        let clock = self.lease_clock;
        let renew = move |tx: &Tx<'_>| {
            let expires_at = clock.now(tx, now)?.plus(ttl).as_micros();
            tx.all(RENEW_LEASES, &[&owner, &expires_at], |row| row.id(0))
        };
        self.db
            .write_unsynced(Scope::OwnLeases, renew, |_| {})
            .await
    }

    /// Gives the lease back, if it is still this one. If there is something to do at once, the
    /// supervisor is told; for what is due later there is [`Store::sessions_due`].
    pub async fn release(&self, lease: &Lease) -> Result<(), StoreError> {
        let session = lease.session;
        let lease = lease.clone();
        let release = move |tx: &Tx<'_>| {
            let id = session.to_string();
            tx.one(RELEASE, &[&id, &lease.owner, &lease.epoch.0], |row| {
                row.flag(0)
            })
        };
        self.release_by(session, release).await.map(drop)
    }

    /// As [`Store::release`] for a lease of which the owner knows no epoch: its claim was answered
    /// with an error and took place. Only while the owner has no claim under way. Answers whether
    /// there was one.
    pub async fn release_stray(&self, session: SessionId, owner: &str) -> Result<bool, StoreError> {
        let owner = owner.to_owned();
        let release = move |tx: &Tx<'_>| {
            let id = session.to_string();
            tx.one(RELEASE_STRAY, &[&id, &owner], |row| row.flag(0))
        };
        self.release_by(session, release).await
    }

    async fn release_by(
        &self,
        session: SessionId,
        release: impl FnOnce(&Tx<'_>) -> Result<Option<bool>, StoreError> + Send + 'static,
    ) -> Result<bool, StoreError> {
        let hub = Arc::clone(&self.hub);
        let tell = move |is_due: &Option<bool>| {
            if *is_due == Some(true) {
                hub.wake_supervisor(session);
            }
        };
        let scope = Scope::Session(session);
        let released = self.db.write_unsynced(scope, release, tell).await?;
        Ok(released.is_some())
    }

    /// For the start of the only process on this data folder: whoever held a lease is dead. Where
    /// other processes share the database these are only owners whose name begins with `replica`.
    pub async fn free_leases_of(&self, replica: &str) -> Result<(), StoreError> {
        let is_shared = self.db.is_shared();
        let replica = replica.to_owned();
        let free = move |tx: &Tx<'_>| match is_shared {
            true => tx.execute(FREE_LEASES_OF, &[&replica]).map(drop),
            false => tx.execute(FREE_ALL_LEASES, &[]).map(drop),
        };
        self.db.write(free).await
    }

    /// Whether a lease may be taken by another process as soon as it has run out.
    pub fn has_rivals(&self) -> bool {
        self.db.is_shared()
    }

    /// Sessions with something to do that nobody does, longest due first.
    pub async fn sessions_due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<SessionId>, StoreError> {
        let clock = self.lease_clock;
        self.db
            .read(move |tx| {
                let expired = clock.now(tx, now)?.as_micros();
                let (micros, ahead) = (now.as_micros(), now.plus(CLOCK_TOLERANCE).as_micros());
                let due: [&dyn Parameter; 3] = [&micros, &limit, &expired];
                let found: Vec<SessionId> = tx.all(SESSIONS_DUE, &due, |row| row.id(0))?;
                let left = i64::from(limit) - i64::try_from(found.len()).unwrap_or(i64::MAX);
                let late: [&dyn Parameter; 4] = [&micros, &left, &expired, &ahead];
                let late: Vec<SessionId> = tx.all(SESSIONS_AHEAD, &late, |row| row.id(0))?;
                Ok([found, late].concat())
            })
            .await
    }

    /// As [`Store::wakes`], for the runner of the session: as long as these live nobody is told that
    /// it wants one.
    pub fn wakes_of_runner(&self, session: SessionId) -> RunnerWakes {
        RunnerWakes::new(self.hub.watch(session))
    }

    /// Wake-ups of a session from now on.
    pub fn wakes(&self, session: SessionId) -> Wakes {
        Wakes::new(self.hub.watch(session))
    }

    /// The queue of sessions that may want a runner, for the one supervisor of this process.
    pub fn take_dirty(&self) -> Option<tokio::sync::mpsc::Receiver<SessionId>> {
        self.hub.take_dirty()
    }
}

/// The session has got on: whoever dies now has not died for nothing.
pub(crate) fn forget_takes(tx: &Tx<'_>, key: i64) -> Result<(), StoreError> {
    tx.execute(FORGET_TAKES, &[&key]).map(drop)
}

fn count(takes: i64) -> u32 {
    u32::try_from(takes).unwrap_or(u32::MAX)
}
