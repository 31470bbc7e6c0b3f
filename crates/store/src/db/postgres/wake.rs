//! Wake-ups between processes on one database: `NOTIFY` says "look at these sessions".
//!
//! What is committed is told afterwards, by one thread on a connection of its own, all that has
//! come together in one statement: a `NOTIFY` inside of the commits would make them wait for each
//! other. Whatever is lost costs a look's interval and nothing else. What is said is `notice.rs`.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use hostler_protocol::id::SessionId;
use tokio::sync::mpsc;

use super::connect::Connector;
use super::notice::{self, Notice};
use super::session::Session;
use crate::StoreError;
use crate::hub::{Growth, Hub};
use crate::limits::{
    ANNOUNCED_TOGETHER, ANNOUNCEMENTS_WAITING, LISTEN_STEP, POSTGRES_PAUSE_MAX, POSTGRES_PAUSE_MIN,
};
use crate::parameter::Value;

/// Tells other processes. Dropping it ends its thread.
#[derive(Debug)]
pub(crate) struct Announcer {
    sessions: mpsc::Sender<(SessionId, Growth)>,
}

const NOTIFY: &str = "select pg_notify('hostler_sessions', $1)";
const LISTEN: &str = "listen hostler_sessions";
const OWN_NUMBER: &str = "select pg_backend_pid()";

impl Announcer {
    /// Whoever has the other end tells them.
    pub(in crate::db) fn to(sessions: mpsc::Sender<(SessionId, Growth)>) -> Self {
        Self { sessions }
    }

    pub(crate) fn announce(&self, session: SessionId, growth: Growth) {
        // More than can be told is not told: a wake-up may be lost.
        let _ = self.sessions.try_send((session, growth));
    }
}

/// Starts telling and listening. Both end with the hub.
pub(crate) fn start(connector: &Arc<Connector>, hub: &Arc<Hub>) -> Result<Announcer, StoreError> {
    // By this number the listener knows what we have said ourselves.
    let own = Arc::new(AtomicI32::new(0));
    let (sessions, waiting) = mpsc::channel(ANNOUNCEMENTS_WAITING);
    let (telling, number) = (Arc::clone(connector), Arc::clone(&own));
    thread("store-announcer", move || {
        announce(&telling, waiting, &number)
    })?;
    let (listening, hub) = (Arc::clone(connector), Arc::downgrade(hub));
    thread("store-listener", move || listen(&listening, &hub, &own))?;
    Ok(Announcer { sessions })
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), StoreError> {
    let started = std::thread::Builder::new().name(name.into()).spawn(run);
    started.map(drop).map_err(|error| StoreError::Corrupt {
        what: format!("no thread {name}: {error}"),
    })
}

fn announce(
    connector: &Connector,
    mut waiting: mpsc::Receiver<(SessionId, Growth)>,
    own: &AtomicI32,
) {
    let mut session: Option<Session> = None;
    let mut pause = POSTGRES_PAUSE_MIN;
    while let Some(first) = waiting.blocking_recv() {
        let mut notice = Notice::of(first);
        while notice.len() < ANNOUNCED_TOGETHER
            && let Ok(next) = waiting.try_recv()
        {
            notice.add(next);
        }
        match tell(connector, session.take(), &notice, own) {
            Ok(told) => {
                session = Some(told);
                pause = POSTGRES_PAUSE_MIN;
            }
            Err(error) => {
                tracing::debug!(%error, "other processes can't be told");
                std::thread::sleep(pause);
                pause = (pause * 2).min(POSTGRES_PAUSE_MAX);
            }
        }
    }
}

fn tell(
    connector: &Connector,
    session: Option<Session>,
    notice: &Notice,
    own: &AtomicI32,
) -> Result<Session, StoreError> {
    let mut session = match session {
        Some(session) => session,
        None => {
            let mut session = connector.connect()?;
            let rows = session.query(OWN_NUMBER, Vec::new())?;
            let number = rows.first().map(|row| row.try_get(0)).transpose()?;
            own.store(number.unwrap_or(0), Ordering::SeqCst);
            session
        }
    };
    session.query(NOTIFY, vec![Value::Text(&notice.to_string())])?;
    Ok(session)
}

fn listen(connector: &Connector, hub: &Weak<Hub>, own: &AtomicI32) {
    let mut pause = POSTGRES_PAUSE_MIN;
    while hub.strong_count() > 0 {
        let listening = connector.connect().and_then(|mut session| {
            session.batch(LISTEN)?;
            Ok(session)
        });
        let ended = match listening {
            Ok(session) => {
                pause = POSTGRES_PAUSE_MIN;
                hear(session, hub, own)
            }
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "wake-ups of other processes aren't heard");
            std::thread::sleep(pause);
            pause = (pause * 2).min(POSTGRES_PAUSE_MAX);
        }
    }
}

/// Until the hub is gone or the connection breaks.
fn hear(mut session: Session, hub: &Weak<Hub>, own: &AtomicI32) -> Result<(), StoreError> {
    // What was said while nobody listened is not heard again.
    if let Some(hub) = hub.upgrade() {
        hub.wake_all();
    }
    let mut silence = Duration::ZERO;
    loop {
        let heard = session.notifications(LISTEN_STEP)?;
        let Some(hub) = hub.upgrade() else {
            return Ok(());
        };
        silence = match heard.is_empty() {
            true => silence + LISTEN_STEP,
            false => Duration::ZERO,
        };
        if silence >= LISTEN_STEP * 5 {
            // A connection that nothing comes from may be broken, and nobody would know.
            session.batch("select 1")?;
            silence = Duration::ZERO;
        }
        for notification in heard {
            if notification.process_id() == own.load(Ordering::SeqCst) {
                continue;
            }
            for (session, growth) in notice::read(notification.payload()) {
                hub.wake_here(session, growth);
            }
        }
    }
}
