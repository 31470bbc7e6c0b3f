//! Following a session from outside: what clients see, from a position on, without a gap and
//! without an end until the session has one.
//!
//! A follower subscribes before its first read and then loops: read a page; if it is empty, wait
//! for "look". There is no hand-over between history and live. Followers of one session share
//! what one of them reads at its end (`tail.rs`).
//!
//! Previews are shown between events. **Invariant:** a preview is never shown before an event
//! that was in the log when the model was asked, never after the event that it previews, and
//! without a gap in the previews of one event.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;

use hostler_domain::session::SessionStatus;
use hostler_protocol::event::Seq;
use hostler_protocol::id::{EventId, SessionId, WorkspaceId};

use crate::db::Tx;
use crate::hub::{Audience, Woken};
use crate::limits::{FOLLOW_PAGE_BYTES, FOLLOW_PAGE_EVENTS, PREVIEWED_EVENTS, PREVIEWS};
use crate::parameter::Parameter;
use crate::previews::{Arrived, Lost, Origin, PreviewOf};
use crate::public_rows::{PageInMaking, PublicRange};
use crate::tail::{Advice, End, Look, Reason};
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
    Event(Arc<WireEvent>),
    Preview(Preview),
    /// The session was deleted; this is the event that says so, and the last.
    Deleted(Arc<WireEvent>),
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
    page: VecDeque<Arc<WireEvent>>,
    previews: VecDeque<Arrived>,
    /// Where the log ended when this began, if what was there by then is not shown.
    began_at: Option<Seq>,
    /// The event whose preview from elsewhere has made this look.
    looked_for: Option<EventId>,
    /// Events of which `event_start` was taken and nothing was lost since.
    started: Vec<EventId>,
    must_look: bool,
    /// Why, if it must look.
    reason: Reason,
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
            began_at: (from == From::Now).then_some(read_to),
            looked_for: None,
            session,
            reason: audience.channel().tail.ask(),
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

    /// Whether anybody may see a preview, here or in another process.
    pub fn has_followers(&self, session: SessionId) -> bool {
        self.hub.may_have_followers(session)
    }
}

fn start_position(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    session: SessionId,
    from: From,
) -> Result<Option<Seq>, StoreError> {
    let parameters: [&dyn Parameter; 2] = [&workspace.to_string(), &session.to_string()];
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
            } else if let Some(preview) = self.take_ready_preview() {
                return Ok(Followed::Preview(preview));
            } else if !self.must_look {
                self.wait().await;
            }
        }
    }

    /// The next preview, if everything that was in the log before it was read. If not, and no
    /// wake-up has told of that yet, it must be looked for.
    fn take_ready_preview(&mut self) -> Option<Preview> {
        loop {
            let next = self.previews.front()?;
            let (after, event) = (next.preview.after, next.preview.event_id);
            if next.origin == Origin::Here || after <= self.read_to {
                return self.previews.pop_front().map(|arrived| arrived.preview);
            }
            if self.looked_for != Some(event) {
                self.looked_for = Some(event);
                self.reason = self.audience.channel().tail.ask();
                self.must_look = true;
                return None;
            }
            // The log does not go as far, or not yet: whoever says so is not believed.
            self.started.retain(|started| *started != event);
            self.previews
                .retain(|arrived| arrived.preview.event_id != event);
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        // Until the answer is in, this stays true, whoever gives up the wait.
        self.must_look = true;
        self.audience.watch.mark_seen();
        let channel = Arc::clone(self.audience.channel());
        self.reason = self.reason.max(channel.tail.asked());
        let look = loop {
            let mut looked = pin!(channel.tail.looked());
            looked.as_mut().enable();
            match channel.tail.advise(self.read_to, self.reason) {
                Advice::Take(look) => break look,
                Advice::ReadAlone => break self.read_log().await?,
                Advice::Look(looking) => {
                    let look = self.read_log().await?;
                    looking.found(&look, channel.is_shared());
                    break look;
                }
                Advice::Wait => looked.await,
            }
        };
        self.take_previews(&look.events);
        if !look.more && self.store.hub.shares_previews() {
            self.over(&look.events);
        }
        self.must_look = look.more;
        self.read_to = look.read_to;
        self.page = look.events.into();
        self.end = look.end;
        Ok(())
    }

    async fn read_log(&self) -> Result<Look, StoreError> {
        let (session, after) = (self.session, self.read_to);
        let read = self.store.db.read(move |tx| look(tx, session, after));
        read.await
    }

    /// All previews of `events` were made before those events were appended, so they are here by
    /// now; they are not needed any more.
    fn take_previews(&mut self, events: &[Arc<WireEvent>]) {
        let channel = Arc::clone(self.audience.channel());
        while let Some(taken) = channel.previews.take(&mut self.audience.place) {
            self.took(taken);
        }
        self.started.retain(|started| {
            let id = started.to_string();
            events.iter().all(|event| event.id != id)
        });
        let started = &self.started;
        self.previews
            .retain(|arrived| started.contains(&arrived.preview.event_id));
    }

    /// What comes of these from elsewhere comes late.
    fn over(&self, events: &[Arc<WireEvent>]) {
        let is_previewed =
            |event: &&Arc<WireEvent>| PreviewOf::ALL.iter().any(|of| of.as_str() == event.name);
        let over = events.iter().filter(is_previewed);
        let over: Vec<EventId> = over.filter_map(|event| event.id.parse().ok()).collect();
        if !over.is_empty() {
            self.audience.channel().previews.over(&over);
        }
    }

    fn took(&mut self, taken: Result<Arrived, Lost>) {
        match taken {
            Ok(arrived) => self.take_preview(arrived),
            Err(Lost) => self.previews_lost(),
        }
    }

    fn take_preview(&mut self, arrived: Arrived) {
        let preview = &arrived.preview;
        // From elsewhere, it may come after an event that was there before this began.
        if arrived.origin == Origin::Elsewhere
            && self
                .began_at
                .is_some_and(|began_at| preview.after < began_at)
        {
            return;
        }
        if self.previews.len() >= PREVIEWS {
            self.previews_lost();
        }
        if preview.piece().is_none() {
            if self.started.len() >= PREVIEWED_EVENTS {
                self.started.remove(0);
            }
            self.started.push(preview.event_id);
        }
        // A piece without its beginning is worth nothing.
        if self.started.contains(&preview.event_id) {
            self.previews.push_back(arrived);
        }
    }

    /// What follows a gap would be misread, so the rest of every event in progress is dropped.
    fn previews_lost(&mut self) {
        self.previews.clear();
        self.started.clear();
    }

    async fn wait(&mut self) {
        // Whoever waits may do so for long.
        self.page = VecDeque::new();
        let channel = Arc::clone(self.audience.channel());
        let audience = &mut self.audience;
        tokio::select! {
            biased;
            woken = audience.watch.changed() => self.woken(woken),
            taken = channel.previews.next(&mut audience.place) => self.took(taken),
        }
    }

    fn woken(&mut self, woken: Woken) {
        let tail = &self.audience.channel().tail;
        let period = self.audience.watch.period();
        // Time asks for one look at the session, not for one by each of its readers: where
        // somebody has looked lately, what he found is enough.
        if woken == Woken::ByTime && !tail.was_looked_at_within(period / 2) {
            self.reason = tail.ask();
        }
        self.must_look = true;
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
    let mut page = PageInMaking::new(FOLLOW_PAGE_EVENTS, FOLLOW_PAGE_BYTES);
    let mut read_to = last_seq;
    if after < last_seq {
        let range = PublicRange {
            order: Order::Ascending,
            after,
            types: String::new(),
            created_at: TimeRange::default(),
        };
        let last_shown = page.fill(tx, (key, session), &range)?;
        if page.is_full() {
            read_to = last_shown;
        }
    }
    let is_end = is_terminated(&status) && !page.is_full();
    Ok(Look {
        read_to,
        more: page.is_full(),
        events: page.into_events().into_iter().map(Arc::new).collect(),
        end: is_end.then_some(End::Nothing),
    })
}

fn deletion(tx: &Tx<'_>, id: &str) -> Result<End, StoreError> {
    let event = tx.one(DELETED_SESSION, &[&id], |row| {
        let (event_id, at) = (row.text(0)?, row.timestamp(1)?);
        let name = "session.deleted";
        let body = format!("{{\"type\":\"{name}\"}}");
        let (name, at) = (name.to_owned(), Some(at));
        Ok(Arc::new(WireEvent::new(None, event_id, name, at, &body)))
    })?;
    Ok(event.map_or(End::Nothing, End::Deleted))
}
