//! A reader that follows a session over whatever happens to the servers, from where it was.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostler_protocol::event::Seq;
use hostler_protocol::id::{SessionId, WorkspaceId};
use hostler_store::{Followed, From, Store};
use tokio::time::sleep;

use super::random::Random;
use super::server::Server;

pub(super) struct Reader {
    random: Random,
    pub(super) session: SessionId,
    seen: Arc<Mutex<Seen>>,
    server: Option<usize>,
}

/// Of all its streams.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) events: Vec<(Seq, String)>,
    pub(super) is_deleted: bool,
    /// The session has ended, or is not there.
    has_ended: bool,
    is_broken: bool,
}

impl Reader {
    pub(super) fn new(random: Random, session: SessionId) -> Self {
        Self {
            random,
            session,
            seen: Arc::default(),
            server: None,
        }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    pub(super) fn lost(&mut self, server: usize) {
        self.server.take_if(|mine| *mine == server);
    }

    /// Opens a stream where it has none.
    pub(super) fn act(&mut self, servers: &[(usize, &Server)], workspace: WorkspaceId) {
        let is_broken = std::mem::take(&mut self.seen.lock().unwrap().is_broken);
        if is_broken {
            self.server = None;
        }
        if self.server.is_some() || servers.is_empty() || self.seen.lock().unwrap().has_ended {
            return;
        }
        let (number, server) = servers[self.random.index(servers.len())];
        self.server = Some(number);
        let (store, seen) = (server.store.clone(), Arc::clone(&self.seen));
        server.spawn(follow(store, workspace, self.session, seen));
    }
}

async fn follow(store: Store, workspace: WorkspaceId, session: SessionId, seen: Arc<Mutex<Seen>>) {
    let last = seen.lock().unwrap().events.last().map(|(seq, _)| *seq);
    let from = From::After(last.unwrap_or_default());
    let mut follow = match store.follow(workspace, session, from).await {
        Ok(Some(follow)) => follow,
        // It may not be made yet.
        Ok(None) | Err(_) => {
            sleep(Duration::from_millis(300)).await;
            seen.lock().unwrap().is_broken = true;
            return;
        }
    };
    loop {
        let next = follow.next().await;
        let mut seen = seen.lock().unwrap();
        match next {
            Ok(Followed::Event(event)) => {
                let seq = event.seq.expect("an event of a stream has its place");
                seen.events.push((seq, event.id.clone()));
            }
            Ok(Followed::Preview(_)) => {}
            Ok(Followed::Deleted(_)) => {
                seen.is_deleted = true;
                seen.has_ended = true;
                return;
            }
            Ok(Followed::Ended) => {
                seen.has_ended = true;
                return;
            }
            Err(_) => {
                seen.is_broken = true;
                return;
            }
        }
    }
}
