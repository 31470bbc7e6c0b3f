//! The reader of one session: it comes back after each death of the server and goes on where it was.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::client::{Connection, Refusal, Target};
use crate::sse::Frame;

use super::book::Seen;

/// The server is dying or coming up: as good a moment as any to look again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A server that has too much to do says so, and asks for at least this.
const COME_BACK: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
struct Heard {
    frames: Vec<Seen>,
    comebacks: usize,
    failures: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Reader {
    heard: Arc<Mutex<Heard>>,
    changed: watch::Receiver<()>,
    _reading: JoinSet<()>,
}

impl Reader {
    pub(super) fn start(
        session: &str,
        address: watch::Receiver<Option<Target>>,
        progress: watch::Sender<()>,
    ) -> Self {
        let heard = Arc::<Mutex<Heard>>::default();
        let (changes, changed) = watch::channel(());
        let path = format!("/v1/sessions/{session}/events/stream");
        let mut reading = JoinSet::new();
        let reader = Reading {
            path,
            address,
            heard: Arc::clone(&heard),
            changes,
            progress,
        };
        reading.spawn(reader.run());
        Self {
            heard,
            changed,
            _reading: reading,
        }
    }

    /// Waits until the session rests, and all of these events are behind it.
    pub(super) async fn rest_after(&mut self, events: &[String]) -> anyhow::Result<()> {
        loop {
            self.changed.mark_unchanged();
            if rests_after(&lock(&self.heard).frames, events) {
                return Ok(());
            }
            self.changed
                .changed()
                .await
                .context("the reader has ended")?;
        }
    }

    /// What it heard, how often it came back, and what was wrong.
    pub(super) fn end(self) -> (Vec<Seen>, usize, Vec<String>) {
        let mut heard = lock(&self.heard);
        let heard = std::mem::take(&mut *heard);
        (heard.frames, heard.comebacks, heard.failures)
    }
}

fn rests_after(frames: &[Seen], events: &[String]) -> bool {
    let Some(last) = frames.last() else {
        return false;
    };
    let at_rest = ["session.status_idle", "session.status_terminated"];
    at_rest.contains(&last.kind.as_str())
        && events
            .iter()
            .all(|event| frames.iter().any(|frame| frame.event == *event))
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reading {
    path: String,
    address: watch::Receiver<Option<Target>>,
    heard: Arc<Mutex<Heard>>,
    changes: watch::Sender<()>,
    progress: watch::Sender<()>,
}

impl Reading {
    async fn run(mut self) {
        loop {
            let target = self.address.borrow_and_update().clone();
            let mut pause = LOOK_AGAIN;
            if let Some(target) = target {
                match self.follow(&target).await {
                    // The server has closed the stream, or is gone.
                    Ok(()) => {}
                    Err(error) => match error.downcast_ref::<Refusal>() {
                        Some(refusal) if refusal.is_too_much() => pause = COME_BACK,
                        Some(refusal) => lock(&self.heard).failures.push(refusal.to_string()),
                        // It is gone.
                        None => {}
                    },
                }
                lock(&self.heard).comebacks += 1;
            }
            // Until the server is elsewhere, or for a moment.
            if let Ok(Err(_nobody)) = timeout(pause, self.address.changed()).await {
                return;
            }
        }
    }

    async fn follow(&self, target: &Target) -> anyhow::Result<()> {
        let last = lock(&self.heard).frames.last().map(|frame| frame.position);
        // From the beginning, also for a session whose first events were there before its reader.
        let path = format!("{}?after={}", self.path, last.unwrap_or_default());
        let connection = Connection::open(target).await?;
        let mut stream = connection.stream(&path).await?;
        while let Some(frame) = stream.next().await? {
            match seen(&frame) {
                Ok(seen) => lock(&self.heard).frames.push(seen),
                Err(error) => lock(&self.heard).failures.push(format!("{error:#}")),
            }
            self.changes.send_replace(());
            self.progress.send_replace(());
        }
        Ok(())
    }
}

fn seen(frame: &Frame) -> anyhow::Result<Seen> {
    let position = frame.id.as_deref().context("a frame without a position")?;
    let data: Value = serde_json::from_str(&frame.data).context("a frame that is not JSON")?;
    Ok(Seen {
        position: position.parse().context("a position that is no number")?,
        event: data["id"].as_str().unwrap_or_default().to_owned(),
        kind: frame.event.clone(),
    })
}
