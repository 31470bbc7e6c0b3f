//! What is looked at while there is load: the server's memory, its health, and a request of another kind now and then.

use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use hyper::Method;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::work::{Item, Work};
use crate::client::{Connection, Target};
use crate::counters::resident_kib;
use crate::samples::Samples;
use crate::server::Server;

const EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct Watched {
    pub(super) resident_kib: u64,
    pub(super) health: Samples,
    /// The other kind's: all that were answered.
    pub(super) others: Samples,
    pub(super) others_refused: usize,
    pub(super) failures: Vec<String>,
}

impl Watched {
    pub(super) fn add(&mut self, other: Watched) {
        self.resident_kib = self.resident_kib.max(other.resident_kib);
        self.health.extend(&other.health);
        self.others.extend(&other.others);
        self.others_refused += other.others_refused;
        self.failures.extend(other.failures);
    }
}

pub(super) struct Watcher {
    end: oneshot::Sender<()>,
    watching: JoinSet<anyhow::Result<Watched>>,
}

impl Watcher {
    pub(super) async fn start(server: &Server, work: &Work) -> anyhow::Result<Self> {
        let (end, ended) = oneshot::channel();
        let connection = Connection::open(&server.target).await?;
        let mut watching = JoinSet::new();
        watching.spawn(watch(
            server.process,
            server.target.clone(),
            connection,
            work.other.clone(),
            ended,
        ));
        Ok(Self { end, watching })
    }

    pub(super) async fn end(mut self) -> anyhow::Result<Watched> {
        // One that has failed has ended before.
        let _ = self.end.send(());
        let watched = self.watching.join_next().await;
        watched.context("nobody watched")??
    }
}

async fn watch(
    process: u32,
    target: Target,
    mut connection: Connection,
    other: Item,
    mut ended: oneshot::Receiver<()>,
) -> anyhow::Result<Watched> {
    let mut watched = Watched::default();
    while ended.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        watched.resident_kib = watched.resident_kib.max(resident_kib(process)?);
        let begun = Instant::now();
        // As a probe does it, on a connection of its own.
        let mut probe = Connection::open(&target).await?;
        let health = probe.ask(&Method::GET, "/healthz", Bytes::new()).await?;
        watched.health.push(begun.elapsed());
        if health.status != 200 {
            watched
                .failures
                .push(format!("/healthz: {}", health.status));
        }
        let begun = Instant::now();
        let answer = connection.ask(&other.method, &other.path, other.body.clone());
        let answer = answer.await?;
        watched.others.push(begun.elapsed());
        match answer.status {
            200 => {}
            429 | 529 => watched.others_refused += 1,
            status => watched.failures.push(format!("{}: {status}", other.path)),
        }
        tokio::time::sleep(EVERY).await;
    }
    Ok(watched)
}
