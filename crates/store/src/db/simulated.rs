//! A database for simulations: SQLite in memory, in which each transaction takes the time and meets the
//! fate that its owner says. Nothing runs on a thread of its own, so the same words give the same run.
//!
//! It is the file of one server, or shared like PostgreSQL by several, who live and die apart from it.
//! **Invariant:** what is on its way when a server dies is carried out or it is not, as with the real
//! ones, and a caller that goes away takes nothing back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use hostler_domain::Env;
use hostler_protocol::event::{Epoch, Seq};
use hostler_protocol::id::SessionId;
use rusqlite::Connection;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::sqlite::{Prepared, Syncing, WriteJob, write_job};
use super::{Announcer, Tx};
use crate::hub::{Growth, Hub};
use crate::lease::CLAIM;
use crate::limits::{ANNOUNCEMENTS_WAITING, COMMIT_JOBS_MAX, POSTGRES_WRITERS, WRITE_QUEUE};
use crate::{Migrations, StoreError, migrate};

/// Who uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SimulatedSharing {
    /// One server at a time, like a file.
    Alone,
    Shared,
}

/// Outlives its servers. Cheap to clone.
#[derive(Clone)]
pub struct SimulatedDatabase {
    sharing: SimulatedSharing,
    contents: Arc<Mutex<Contents>>,
}

struct Contents {
    prepared: Prepared,
    /// Of the servers, some of which may be dead.
    hubs: Vec<Weak<Hub>>,
    /// Of the newest row that was witnessed.
    last_key: i64,
    witnessed: Vec<Witnessed>,
    is_lying: bool,
}

/// A row of the log, and what held at the commit that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnessed {
    /// Of whoever committed.
    pub server: u32,
    pub session: SessionId,
    pub seq: Seq,
    /// Of its writer.
    pub epoch: Epoch,
    /// Of the newest lease.
    pub lease_epoch: Epoch,
}

/// What is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// A wake-up for other servers.
    Announcement,
}

/// What becomes of one transaction, and when.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Until it is carried out, and from then until it is answered.
    pub before: Duration,
    pub after: Duration,
    pub fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Done,
    /// Nothing is written, and the caller is told so.
    Busy,
    Full,
    /// Nothing is written, and the caller can't know.
    Unsent,
    /// It is written, and the caller can't know.
    AnswerLost,
    /// A lie, for tests of those who are to see it: nothing is written, and it is said to be.
    Forgotten,
}

/// A server's link to the database.
#[derive(Clone)]
pub struct SimulatedLink {
    pub server: u32,
    /// The time at the database.
    pub clock: Env,
    pub weather: Arc<dyn Fn(Access) -> Weather + Send + Sync>,
}

#[derive(Clone)]
pub(crate) struct Simulated {
    database: SimulatedDatabase,
    link: SimulatedLink,
    writes: mpsc::Sender<Box<dyn WriteJob>>,
    announcements: mpsc::Sender<(SessionId, Growth)>,
}

/// What carries a server's writes out; to drop it is the death of the server.
pub struct SimulatedWriter {
    database: SimulatedDatabase,
    link: SimulatedLink,
    writes: mpsc::Receiver<Box<dyn WriteJob>>,
    announced: mpsc::Receiver<(SessionId, Growth)>,
    hub: Weak<Hub>,
}

// A transaction of a server that takes part in a simulation.
const BEGIN: &str = "begin immediate";
const SAVEPOINT: &str = "savepoint job";
const UNDO: &str = "rollback to job";
const RELEASE: &str = "release job";
const COMMIT: &str = "commit";
const ROLLBACK: &str = "rollback";

const NEW_ROWS: &str = "\
    select events.key, sessions.id, events.seq, events.epoch, sessions.lease_epoch \
    from events join sessions on sessions.key = events.session_key \
    where events.key > $1 order by events.key";

/// As [`CLAIM`], but what was claimed before stays worth as much.
const CLAIM_WITHOUT_EPOCH: &str = "\
    update sessions set lease_owner = ?2, lease_epoch = 1, lease_expires_at = ?4, takes = null \
    where id = ?1 and (lease_owner is null or lease_expires_at <= ?3) and ?5 is not null \
    returning lease_epoch, 1";

impl SimulatedDatabase {
    /// # Errors
    /// When SQLite has none to give.
    pub fn new(sharing: SimulatedSharing) -> Result<Self, StoreError> {
        let mut connection = Connection::open_in_memory()?;
        connection.set_prepared_statement_cache_capacity(crate::limits::PREPARED_STATEMENTS);
        connection.pragma_update(None, "foreign_keys", "on")?;
        migrate::sqlite(&mut connection, Migrations::Apply)?;
        let contents = Contents {
            prepared: Prepared::new(connection),
            hubs: Vec::new(),
            last_key: 0,
            witnessed: Vec::new(),
            is_lying: false,
        };
        Ok(Self {
            sharing,
            contents: Arc::new(Mutex::new(contents)),
        })
    }

    /// Every row that was ever committed, in the order of the commits.
    pub fn witnessed(&self) -> Vec<Witnessed> {
        self.contents().witnessed.clone()
    }

    /// From now on a new lease takes nothing from those before it, and servers are told that nobody else
    /// is there: for tests of those who are to see it. All servers must have the same name for it.
    pub fn begin_to_lie_about_leases(&self) {
        let mut contents = self.contents();
        contents.is_lying = true;
        contents.prepared.falsify(CLAIM, CLAIM_WITHOUT_EPOCH);
    }

    pub(super) fn link(&self, link: SimulatedLink, hub: &Arc<Hub>) -> (Simulated, SimulatedWriter) {
        self.contents().hubs.push(Arc::downgrade(hub));
        let (writes, waiting) = mpsc::channel(WRITE_QUEUE);
        let (announcements, announced) = mpsc::channel(ANNOUNCEMENTS_WAITING);
        let simulated = Simulated {
            database: self.clone(),
            link: link.clone(),
            writes,
            announcements,
        };
        let writer = SimulatedWriter {
            database: self.clone(),
            link,
            writes: waiting,
            announced,
            hub: Arc::downgrade(hub),
        };
        (simulated, writer)
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_others(&self, own: &Weak<Hub>, session: SessionId, growth: Growth) {
        let contents = self.contents();
        let others = contents.hubs.iter().filter(|hub| !hub.ptr_eq(own));
        for hub in others.filter_map(Weak::upgrade) {
            hub.wake_here(session, growth);
        }
    }
}

impl Simulated {
    pub(super) fn is_shared(&self) -> bool {
        self.database.sharing == SimulatedSharing::Shared && !self.database.contents().is_lying
    }

    pub(super) fn announcer(&self) -> Announcer {
        Announcer::to(self.announcements.clone())
    }

    pub(super) async fn write<T, E>(
        &self,
        sync: Syncing,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        tell: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (job, answered) = write_job(sync, job, tell);
        let sent = self.writes.send(job).await;
        sent.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) async fn read<T, E>(
        &self,
        job: impl FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let weather = (self.link.weather)(Access::Read);
        sleep(weather.before).await;
        let read = match weather.fate.failure() {
            Some(error) => Err(error.into()),
            None => {
                let contents = self.database.contents();
                contents.at(&self.link, self.database.sharing);
                job(&Tx::Sqlite(&contents.prepared))
            }
        };
        sleep(weather.after).await;
        read
    }
}

impl Fate {
    /// What the caller is told, unless it is the job's own answer.
    fn failure(self) -> Option<StoreError> {
        match self {
            Self::Done | Self::Forgotten => None,
            Self::Busy => Some(StoreError::Busy),
            Self::Full => Some(StoreError::Db("the disk is full".into())),
            Self::Unsent | Self::AnswerLost => {
                Some(StoreError::Unreachable("the connection broke".into()))
            }
        }
    }

    fn is_written(self) -> bool {
        match self {
            Self::Done | Self::AnswerLost => true,
            Self::Busy | Self::Full | Self::Unsent | Self::Forgotten => false,
        }
    }
}

impl Contents {
    /// Sets the clock of the database, where it has one.
    fn at(&self, link: &SimulatedLink, sharing: SimulatedSharing) {
        self.prepared.set_clock(match sharing {
            SimulatedSharing::Alone => None,
            SimulatedSharing::Shared => Some(link.clock.now()),
        });
    }

    fn carry_out(
        &mut self,
        batch: &mut VecDeque<Box<dyn WriteJob>>,
        fate: Fate,
        server: u32,
    ) -> Result<(), StoreError> {
        self.prepared.run(BEGIN)?;
        for job in batch {
            self.prepared.run(SAVEPOINT)?;
            if !job.run(&Tx::Sqlite(&self.prepared)) {
                self.prepared.run(UNDO)?;
            }
            self.prepared.run(RELEASE)?;
        }
        if !fate.is_written() {
            return self.prepared.run(ROLLBACK);
        }
        self.prepared.run(COMMIT)?;
        self.witness(server)
    }

    fn witness(&mut self, server: u32) -> Result<(), StoreError> {
        let rows = self.prepared.all(NEW_ROWS, &[&self.last_key], |row| {
            let witnessed = Witnessed {
                server,
                session: row.id(1)?,
                seq: Seq(row.integer(2)?),
                epoch: Epoch(row.integer(3)?),
                lease_epoch: Epoch(row.integer(4)?),
            };
            Ok((row.integer(0)?, witnessed))
        })?;
        for (key, witnessed) in rows {
            self.last_key = key;
            self.witnessed.push(witnessed);
        }
        Ok(())
    }
}

impl SimulatedWriter {
    /// Until it is dropped.
    pub async fn run(mut self) {
        let places = match self.database.sharing {
            SimulatedSharing::Alone => 1,
            SimulatedSharing::Shared => POSTGRES_WRITERS,
        };
        let mut writes = FuturesUnordered::new();
        let mut announcements = FuturesUnordered::new();
        loop {
            tokio::select! {
                biased;
                Some(()) = writes.next() => {}
                Some(()) = announcements.next() => {}
                Some(job) = self.writes.recv(), if writes.len() < places => {
                    let batch = self.batch(job);
                    writes.push(self.write(batch));
                }
                Some((session, growth)) = self.announced.recv() => {
                    announcements.push(self.announce(session, growth));
                }
                else => return,
            }
        }
    }

    /// On a file whatever waits shares one commit.
    fn batch(&mut self, first: Box<dyn WriteJob>) -> VecDeque<Box<dyn WriteJob>> {
        let mut batch = VecDeque::from([first]);
        while self.database.sharing == SimulatedSharing::Alone
            && batch.len() < COMMIT_JOBS_MAX
            && let Ok(next) = self.writes.try_recv()
        {
            batch.push_back(next);
        }
        batch
    }

    fn write(&self, mut batch: VecDeque<Box<dyn WriteJob>>) -> BoxFuture<'static, ()> {
        let (database, link) = (self.database.clone(), self.link.clone());
        Box::pin(async move {
            let Weather {
                before,
                after,
                fate,
            } = (link.weather)(Access::Write);
            sleep(before).await;
            let failure = match fate {
                Fate::Done | Fate::AnswerLost | Fate::Forgotten => {
                    let mut contents = database.contents();
                    contents.at(&link, database.sharing);
                    let carried_out = contents.carry_out(&mut batch, fate, link.server);
                    carried_out.err().map(|error| error.to_string())
                }
                Fate::Busy | Fate::Full | Fate::Unsent => None,
            };
            sleep(after).await;
            for job in batch {
                match (&failure, fate.failure()) {
                    (Some(failure), _) => job.refuse(StoreError::Db(failure.as_str().into())),
                    (None, Some(failure)) => job.refuse(failure),
                    (None, None) => job.finish(Ok(())),
                }
            }
        })
    }

    fn announce(&self, session: SessionId, growth: Growth) -> BoxFuture<'static, ()> {
        let (database, hub) = (self.database.clone(), self.hub.clone());
        let weather = (self.link.weather)(Access::Announcement);
        Box::pin(async move {
            sleep(weather.before).await;
            if weather.fate == Fate::Done {
                database.wake_others(&hub, session, growth);
            }
        })
    }
}
