//! Connections of one kind: a bounded number, made when they are needed, and again with a pause
//! that grows while the server can't be reached.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Session;
use super::connect::Connector;
use crate::StoreError;
use crate::limits::{POSTGRES_PAUSE_MAX, POSTGRES_PAUSE_MIN, POSTGRES_PLACE};

pub(super) struct Pool {
    connector: Arc<Connector>,
    places: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    /// After a connection could not be made: until when nobody tries, and the pause that led there.
    pause: Option<(Instant, Duration)>,
}

/// The right to use one connection.
pub(super) struct Place {
    pool: Arc<Pool>,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>, places: usize) -> Self {
        Self {
            connector,
            places: Arc::new(Semaphore::new(places)),
            state: Mutex::default(),
        }
    }

    pub(super) async fn place(self: &Arc<Self>) -> Result<Place, StoreError> {
        let permit = Arc::clone(&self.places).acquire_owned();
        match tokio::time::timeout(POSTGRES_PLACE, permit).await {
            Ok(Ok(permit)) => Ok(Place {
                pool: Arc::clone(self),
                _permit: permit,
            }),
            Ok(Err(_)) => Err(StoreError::Closed),
            Err(_) => Err(StoreError::Busy),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connect(&self) -> Result<Session, StoreError> {
        let pause = self.state().pause;
        if pause.is_some_and(|(until, _)| Instant::now() < until) {
            let refused = std::io::Error::other("it could not be reached a moment ago");
            return Err(StoreError::Unreachable(Box::new(refused)));
        }
        let connected = self.connector.connect();
        let mut state = self.state();
        match &connected {
            Ok(_) => state.pause = None,
            Err(_) => {
                let last = state.pause.map_or(POSTGRES_PAUSE_MIN / 2, |(_, last)| last);
                let next = (last * 2).min(POSTGRES_PAUSE_MAX);
                state.pause = Some((Instant::now() + next, next));
            }
        }
        connected
    }
}

impl Place {
    /// A connection on which `begin` has been said. One that has broken while nobody used it is
    /// replaced: nothing of the job has been done by then.
    pub(super) fn session(&self, begin: &str) -> Result<Session, StoreError> {
        loop {
            let idle = self.pool.state().idle.pop();
            let is_new = idle.is_none();
            let mut session = match idle {
                Some(session) => session,
                None => self.pool.connect()?,
            };
            match session.begin(begin) {
                Ok(()) => return Ok(session),
                // The others are as old, and most likely as dead.
                Err(StoreError::Unreachable(_)) if !is_new => self.pool.state().idle.clear(),
                Err(error) => return Err(error),
            }
        }
    }

    /// For the next job; a connection that is in doubt is dropped instead.
    pub(super) fn give_back(&self, session: Session) {
        self.pool.state().idle.push(session);
    }
}
