//! Following a session from outside: what clients see, from a position on, without a gap and
//! without an end until the session has one.
//!
//! A follower subscribes before its first read and then loops: read a page; if it is empty, wait
//! for "look". There is no hand-over between history and live.
//!
//! Previews are shown between events. **Invariant:** a preview is never shown before an event
//! that was in the log when the preview was made, never after the event that it previews, and
//! without a gap in the previews of one event.

use std::collections::VecDeque;

use hostler_domain::session::SessionStatus;
use hostler_protocol::event::Seq;
use hostler_protocol::id::{EventId, SessionId, WorkspaceId};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use crate::db::Tx;
use crate::hub::Audience;
use crate::limits::{FOLLOW_PAGE_EVENTS, PREVIEWED_EVENTS, PREVIEWS};
use crate::public_rows::{PageInMaking, PublicRange};
use crate::wire_event::WireEvent;
use crate::{Order, Preview, Store, StoreError, TimeRange};

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With what comes after this call. A session that is terminated has nothing to come: of
    /// that one, its termination is shown.
    Now,
    After(Seq),
}

/// What comes next.
#[derive(Debug, Clone)]
pub enum Followed {
    Event(WireEvent),
    Preview(Preview),
    /// The session was deleted; this is the event that says so, and the last.
    Deleted(WireEvent),
    /// There will be nothing more.
    Ended,
}

/// A place in the public order of a session, and the wait for what is behind it.
#[derive(Debug)]
pub struct Follow {
    store: Store,
    session: SessionId,
    audience: Audience,
    /// Everything up to here has been read.
    read_to: Seq,
    page: VecDeque<WireEvent>,
    previews: VecDeque<Preview>,
    /// Events of which `event_start` was taken and nothing was lost since.
    started: Vec<EventId>,
    must_look: bool,
    end: Option<End>,
}

/// What is behind the last event.
#[derive(Debug, Clone)]
enum End {
    Deleted(WireEvent),
    Nothing,
}

/// What one look at the database found.
struct Look {
    events: Vec<WireEvent>,
    read_to: Seq,
    /// There is more behind the events.
    more: bool,
    end: Option<End>,
}

const SESSION_OF_WORKSPACE: &str = "\
    select key, last_seq, status from sessions where workspace_id = $1 and id = $2";

const SESSION: &str = "select key, last_seq, status from sessions where id = $1";

const TERMINATION: &str = "\
    select max(seq) from events where session_key = $1 and type = 'session.status_terminated'";

const DELETED_SESSION: &str = "\
    select event_id, deleted_at from deleted_sessions where id = $1";

impl Store {
    /// Follows a session. By the time this answers, the position is fixed: what is appended
    /// later will be shown. `None`: no such session.
    pub async fn follow(
        &self,
        workspace: WorkspaceId,
        session: SessionId,
        from: From,
    ) -> Result<Option<Follow>, StoreError> {
        let audience = self.hub.follow(session);
        let position = self
            .db
            .read(move |tx| start_position(tx, workspace, session, from));
        Ok(position.await?.map(|read_to| Follow {
            store: self.clone(),
            session,
            audience,
            read_to,
            page: VecDeque::new(),
            previews: VecDeque::new(),
            started: Vec::new(),
            must_look: true,
            end: None,
        }))
    }

    /// Shows a preview to those who follow the session at this moment.
    pub fn preview(&self, session: SessionId, preview: Preview) {
        self.hub.preview(session, preview);
    }

    /// Whether anybody would see a preview.
    pub fn has_followers(&self, session: SessionId) -> bool {
        self.hub.has_followers(session)
    }
}

fn start_position(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    session: SessionId,
    from: From,
) -> Result<Option<Seq>, StoreError> {
    let parameters: [&dyn rusqlite::ToSql; 2] = [&workspace.to_string(), &session.to_string()];
    let found = tx.one(SESSION_OF_WORKSPACE, &parameters, |row| {
        Ok((row.integer(0)?, row.integer(1)?, row.text(2)?))
    })?;
    let Some((key, last_seq, status)) = found else {
        return Ok(None);
    };
    let position = match from {
        From::After(seq) => seq.0.clamp(0, last_seq),
        From::Now if is_terminated(&status) => {
            let seq = tx.one(TERMINATION, &[&key], |row| row.optional_integer(0))?;
            seq.flatten().map_or(last_seq, |seq| seq - 1)
        }
        From::Now => last_seq,
    };
    Ok(Some(Seq(position)))
}

fn is_terminated(status: &str) -> bool {
    status == SessionStatus::Terminated.as_str()
}

impl Follow {
    /// Waits for what comes next. Cancel-safe: nothing is lost if the wait is given up.
    pub async fn next(&mut self) -> Result<Followed, StoreError> {
        loop {
            if let Some(event) = self.page.pop_front() {
                return Ok(Followed::Event(event));
            }
            match self.end.take() {
                None => {}
                Some(end) => {
                    self.end = Some(End::Nothing);
                    return Ok(match end {
                        End::Deleted(event) => Followed::Deleted(event),
                        End::Nothing => Followed::Ended,
                    });
                }
            }
            // Whoever made a preview had woken us up for the events before it.
            if self.must_look || self.audience.watch.is_changed() {
                self.look().await?;
            } else if let Some(preview) = self.previews.pop_front() {
                return Ok(Followed::Preview(preview));
            } else {
                self.wait().await;
            }
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        // Until the answer is in, this stays true, whoever gives up the wait.
        self.must_look = true;
        self.audience.watch.mark_seen();
        let (session, after) = (self.session, self.read_to);
        let look = self.store.db.read(move |tx| look(tx, session, after));
        let look = look.await?;
        self.take_previews(&look.events);
        self.must_look = look.more;
        self.read_to = look.read_to;
        self.page = look.events.into();
        self.end = look.end;
        Ok(())
    }

    /// All previews of `events` were made before those events were appended, so they are here by
    /// now; they are not needed any more.
    fn take_previews(&mut self, events: &[WireEvent]) {
        loop {
            match self.audience.previews.try_recv() {
                Ok(preview) => self.take_preview(preview),
                Err(TryRecvError::Lagged(_)) => self.previews_lost(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        self.started.retain(|started| {
            let id = started.to_string();
            events.iter().all(|event| event.id != id)
        });
        let started = &self.started;
        self.previews
            .retain(|preview| started.contains(&preview.event_id));
    }

    fn take_preview(&mut self, preview: Preview) {
        if self.previews.len() >= PREVIEWS {
            self.previews_lost();
        }
        if preview.name == "event_start" {
            if self.started.len() >= PREVIEWED_EVENTS {
                self.started.remove(0);
            }
            self.started.push(preview.event_id);
        }
        // A piece without its beginning is worth nothing.
        if self.started.contains(&preview.event_id) {
            self.previews.push_back(preview);
        }
    }

    /// What follows a gap would be misread, so the rest of every event in progress is dropped.
    fn previews_lost(&mut self) {
        self.previews.clear();
        self.started.clear();
    }

    async fn wait(&mut self) {
        tokio::select! {
            biased;
            () = self.audience.watch.changed() => self.must_look = true,
            preview = self.audience.previews.recv() => match preview {
                Ok(preview) => self.take_preview(preview),
                Err(RecvError::Lagged(_)) => self.previews_lost(),
                // The sender lives as long as our watch.
                Err(RecvError::Closed) => self.audience.watch.changed().await,
            },
        }
    }
}

fn look(tx: &Tx<'_>, session: SessionId, after: Seq) -> Result<Look, StoreError> {
    let id = session.to_string();
    let found = tx.one(SESSION, &[&id], |row| {
        Ok((row.integer(0)?, Seq(row.integer(1)?), row.text(2)?))
    })?;
    let Some((key, last_seq, status)) = found else {
        return Ok(Look {
            events: Vec::new(),
            read_to: after,
            more: false,
            end: Some(deletion(tx, &id)?),
        });
    };
    let mut page = PageInMaking::new(FOLLOW_PAGE_EVENTS);
    let mut read_to = last_seq;
    if after < last_seq {
        let range = PublicRange {
            order: Order::Ascending,
            after,
            types: String::new(),
            created_at: TimeRange::default(),
        };
        let last_shown = page.fill(tx, key, &range)?;
        if page.is_full() {
            read_to = last_shown;
        }
    }
    let is_end = is_terminated(&status) && !page.is_full();
    Ok(Look {
        read_to,
        more: page.is_full(),
        events: page.into_events(),
        end: is_end.then_some(End::Nothing),
    })
}

fn deletion(tx: &Tx<'_>, id: &str) -> Result<End, StoreError> {
    let event = tx.one(DELETED_SESSION, &[&id], |row| {
        let (event_id, at) = (row.text(0)?, row.timestamp(1)?);
        let name = "session.deleted";
        let body = format!("{{\"type\":\"{name}\"}}");
        Ok(WireEvent::new(
            None,
            event_id,
            name.to_owned(),
            Some(at),
            &body,
        ))
    })?;
    Ok(event.map_or(End::Nothing, End::Deleted))
}
