//! Previews of the messages that a model is writing, for those who follow the session at this
//! moment. They are the one thing that is not in the log, and a slow reader may lose some.
//!
//! Those of a runner in another process may be lost on the way, and come late. **Invariant:** what
//! is taken of them begins with the beginning of an event, has no gap, and ends where the event
//! was seen in the log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostler_protocol::event::Seq;
use hostler_protocol::id::EventId;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Notify;

use crate::limits::{PREVIEWED_EVENTS, PREVIEWS};

/// A type of event that is shown before it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PreviewOf {
    #[serde(rename = "agent.message")]
    AgentMessage,
    #[serde(rename = "agent.thinking")]
    AgentThinking,
}

impl PreviewOf {
    pub(crate) const ALL: [Self; 2] = [Self::AgentMessage, Self::AgentThinking];

    /// The type on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentMessage => "agent.message",
            Self::AgentThinking => "agent.thinking",
        }
    }
}

/// A frame of a message that the model is still writing.
#[derive(Debug, Clone)]
pub struct Preview {
    /// The type of the event that is being previewed, for the reader's filter.
    pub of: PreviewOf,
    /// That event's id.
    pub event_id: EventId,
    /// Which preview of that event it is, from 0.
    pub(crate) number: u32,
    /// Where the log ended when the model was asked.
    pub(crate) after: Seq,
    /// A piece of text, and in which block of the event it is.
    piece: Option<(usize, Arc<str>)>,
    /// As it goes on the wire.
    pub json: Arc<str>,
}

impl Preview {
    /// The event begins.
    #[must_use]
    pub fn start(of: PreviewOf, event_id: EventId, after: Seq) -> Self {
        let event = json!({"type": of.as_str(), "id": event_id});
        let frame = json!({"type": "event_start", "event": event});
        Self {
            of,
            event_id,
            number: 0,
            after,
            piece: None,
            json: frame.to_string().into(),
        }
    }

    /// A later one of the event that begins with this: some more text.
    #[must_use]
    pub fn piece_of(&self, number: u32, index: usize, text: &str) -> Self {
        let content = json!({"type": "text", "text": text});
        let frame = json!({
            "type": "event_delta",
            "event_id": self.event_id,
            "delta": {"type": "content_delta", "index": index, "content": content},
        });
        Self {
            number,
            piece: Some((index, text.into())),
            json: frame.to_string().into(),
            ..self.clone()
        }
    }

    /// The type of the frame.
    pub fn name(&self) -> &'static str {
        match self.piece {
            None => "event_start",
            Some(_) => "event_delta",
        }
    }

    pub(crate) fn piece(&self) -> Option<(usize, &str)> {
        self.piece.as_ref().map(|(index, text)| (*index, &**text))
    }
}

/// Where the runner is that made a preview.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In this process: its wake-ups come before its previews.
    Here,
    /// In another one: whatever it has appended may be known here later than its previews.
    Elsewhere,
}

/// A preview, as a follower takes it.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) preview: Preview,
    pub(crate) origin: Origin,
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
    previews: VecDeque<Arrived>,
    /// Events that are previewed from elsewhere, and the number of the next preview of each.
    begun: VecDeque<(EventId, u32)>,
    /// Events that were seen in the log, newest last.
    over: VecDeque<EventId>,
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
        self.kept().push(preview, Origin::Here);
        self.made.notify_waiters();
    }

    /// As [`Previews::publish`], for one that has come from elsewhere.
    pub(crate) fn deliver(&self, preview: Preview) {
        let mut kept = self.kept();
        if kept.continues(&preview) {
            kept.push(preview, Origin::Elsewhere);
            drop(kept);
            self.made.notify_waiters();
        }
    }

    /// Forgets what was shown up to the end of `events`, which are in the log by now.
    pub(crate) fn superseded_by(&self, events: &[EventId]) {
        let mut kept = self.kept();
        let is_old = |arrived: &Arrived| events.contains(&arrived.preview.event_id);
        let old = kept.previews.iter().rposition(is_old);
        kept.drop_oldest(old.map_or(0, |position| position + 1));
        if kept.previews.is_empty() {
            kept.previews = VecDeque::new();
        }
    }

    /// As [`Previews::superseded_by`], for events of which more may come from elsewhere.
    pub(crate) fn over(&self, events: &[EventId]) {
        self.superseded_by(events);
        let mut kept = self.kept();
        for event in events {
            kept.is_over(*event);
        }
    }

    /// The next preview, if it has been made.
    pub(crate) fn take(&self, place: &mut Place) -> Option<Result<Arrived, Lost>> {
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
    pub(crate) async fn next(&self, place: &mut Place) -> Result<Arrived, Lost> {
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
    fn push(&mut self, preview: Preview, origin: Origin) {
        if self.previews.len() >= PREVIEWS {
            self.drop_oldest(1);
        }
        self.previews.push_back(Arrived { preview, origin });
    }

    /// Whether nothing is missing between the beginning of the event and this preview of it.
    fn continues(&mut self, preview: &Preview) -> bool {
        if self.over.contains(&preview.event_id) {
            return false;
        }
        let known = self
            .begun
            .iter()
            .position(|(id, _)| *id == preview.event_id);
        match known {
            Some(position) if self.begun[position].1 == preview.number => {
                self.begun[position].1 += 1;
                true
            }
            // What follows a gap would be misread: no more of that event.
            Some(position) => {
                self.begun.remove(position);
                false
            }
            None if preview.number == 0 => {
                if self.begun.len() >= PREVIEWED_EVENTS {
                    self.begun.pop_front();
                }
                self.begun.push_back((preview.event_id, 1));
                true
            }
            None => false,
        }
    }

    fn is_over(&mut self, event: EventId) {
        self.begun.retain(|(id, _)| *id != event);
        if !self.over.contains(&event) {
            if self.over.len() >= PREVIEWED_EVENTS {
                self.over.pop_front();
            }
            self.over.push_back(event);
        }
    }

    fn drop_oldest(&mut self, count: usize) {
        self.previews.drain(..count);
        self.first += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_domain::Env;

    fn preview(event_id: EventId, number: u32) -> Preview {
        let start = Preview::start(PreviewOf::AgentMessage, event_id, Seq(1));
        match number {
            0 => start,
            _ => start.piece_of(number, 0, "text"),
        }
    }

    /// Which previews of the event are taken when these come from elsewhere.
    fn taken(previews: &Previews, event: EventId, numbers: &[u32]) -> Vec<u32> {
        let mut place = previews.end();
        for number in numbers {
            previews.deliver(preview(event, *number));
        }
        let taken = std::iter::from_fn(|| previews.take(&mut place));
        taken.map(|one| one.unwrap().preview.number).collect()
    }

    #[test]
    fn of_what_comes_from_elsewhere_a_beginning_without_gaps_is_taken() {
        let (env, previews) = (Env::fixed(1), Previews::default());
        assert_eq!(taken(&previews, env.id(), &[0, 1, 2]), [0, 1, 2]);
        assert_eq!(taken(&previews, env.id(), &[0, 1, 3, 4, 2]), [0, 1]);
        assert_eq!(taken(&previews, env.id(), &[1, 2]), [0; 0]);
        assert_eq!(taken(&previews, env.id(), &[0, 1, 1, 2]), [0, 1]);
    }

    #[test]
    fn what_comes_after_the_event_itself_is_not_taken() {
        let (env, previews) = (Env::fixed(1), Previews::default());
        let event = env.id();
        assert_eq!(taken(&previews, event, &[0, 1]), [0, 1]);
        previews.over(&[event]);
        assert_eq!(taken(&previews, event, &[2, 0, 1]), [0; 0]);
    }

    #[test]
    fn what_is_remembered_of_events_is_bounded() {
        let (env, previews) = (Env::fixed(1), Previews::default());
        for _ in 0..10 * PREVIEWED_EVENTS {
            previews.deliver(preview(env.id(), 0));
            previews.over(&[env.id()]);
        }
        let kept = previews.kept();
        assert_eq!(
            (kept.begun.len(), kept.over.len()),
            (PREVIEWED_EVENTS, PREVIEWED_EVENTS)
        );
        assert!(kept.previews.len() <= PREVIEWS);
    }
}
