//! Previews of the messages that a model is writing, for those who follow the session at this
//! moment. They are the one thing that is not in the log, and a slow reader may lose some.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostler_protocol::id::EventId;
use tokio::sync::Notify;

use crate::limits::PREVIEWS;

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

/// Previews are missing before the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lost;

/// The newest previews of a session. It costs nothing while no model writes.
#[derive(Debug, Default)]
pub(crate) struct Previews {
    kept: Mutex<Kept>,
    made: Notify,
}

#[derive(Debug, Default)]
struct Kept {
    /// The number of the oldest one.
    first: u64,
    previews: VecDeque<Preview>,
}

/// How far one reader is: the number of the next preview that he takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place(u64);

impl Previews {
    /// Where who comes now begins.
    pub(crate) fn end(&self) -> Place {
        let kept = self.kept();
        Place(kept.first + kept.previews.len() as u64)
    }

    pub(crate) fn publish(&self, preview: Preview) {
        let mut kept = self.kept();
        if kept.previews.len() >= PREVIEWS {
            kept.drop_oldest(1);
        }
        kept.previews.push_back(preview);
        drop(kept);
        self.made.notify_waiters();
    }

    /// Forgets what was shown up to the end of `events`, which are in the log by now.
    pub(crate) fn superseded_by(&self, events: &[EventId]) {
        let mut kept = self.kept();
        let is_old = |preview: &Preview| events.contains(&preview.event_id);
        let old = kept.previews.iter().rposition(is_old);
        kept.drop_oldest(old.map_or(0, |position| position + 1));
        if kept.previews.is_empty() {
            kept.previews = VecDeque::new();
        }
    }

    /// The next preview, if it has been made.
    pub(crate) fn take(&self, place: &mut Place) -> Option<Result<Preview, Lost>> {
        let kept = self.kept();
        if place.0 < kept.first {
            place.0 = kept.first;
            return Some(Err(Lost));
        }
        let position = usize::try_from(place.0 - kept.first).ok()?;
        let preview = kept.previews.get(position)?.clone();
        place.0 += 1;
        Some(Ok(preview))
    }

    /// Waits for the next preview. Cancel-safe.
    pub(crate) async fn next(&self, place: &mut Place) -> Result<Preview, Lost> {
        loop {
            let mut made = std::pin::pin!(self.made.notified());
            made.as_mut().enable();
            if let Some(preview) = self.take(place) {
                return preview;
            }
            made.await;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn drop_oldest(&mut self, count: usize) {
        self.previews.drain(..count);
        self.first += count as u64;
    }
}
