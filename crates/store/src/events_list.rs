//! The list of a session's events, as clients see it: what has happened in the order of the log,
//! then what still waits to be processed.

use hostler_domain::session::Summary;
use hostler_protocol::event::Seq;
use hostler_protocol::id::{SessionId, WorkspaceId};

use crate::checksum::EventRow;
use crate::db::Tx;
use crate::limits::{LIST_PAGE_EVENTS, PAGE_BYTES};
use crate::parameter::Parameter;
use crate::public_rows::{PageInMaking, PublicRange};
use crate::sessions_list::word_list;
use crate::wire_event::WireEvent;
use crate::{Order, Store, StoreError, TimeRange};

/// Where a page ends. Opaque to clients, who get it as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventCursor {
    pub order: Order,
    /// The last event of the log that was shown.
    pub after: Seq,
    /// The last waiting input that was shown.
    pub queued_after: Seq,
}

#[derive(Debug, Clone)]
pub struct EventQuery {
    pub order: Order,
    /// The end of the page before, of the same order.
    pub cursor: Option<EventCursor>,
    /// Any of these; empty is any at all.
    pub types: Vec<String>,
    /// Bounds on `processed_at`. Whatever waits is outside any bounds.
    pub created_at: TimeRange,
    pub limit: u32,
}

/// May be shorter than the limit when its events are long; it is the last one if `next` is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    pub data: Vec<WireEvent>,
    pub next: Option<EventCursor>,
}

const SESSION: &str = "\
    select key, summary from sessions where workspace_id = $1 and id = $2";

const QUEUED: &str = "\
    select session_key, seq, id, type, visibility, source_seq, thread_id, epoch, at, body, checksum \
    from events where session_key = $1 and seq = $2";

impl Store {
    /// One page of what clients see of a session. `None`: no such session.
    pub async fn list_events(
        &self,
        workspace: WorkspaceId,
        id: SessionId,
        query: EventQuery,
    ) -> Result<Option<EventPage>, StoreError> {
        self.db
            .read(move |tx| {
                let parameters: [&dyn Parameter; 2] = [&workspace.to_string(), &id.to_string()];
                let session = tx.one(SESSION, &parameters, |row| {
                    Ok((row.integer(0)?, row.json::<Summary>(1)?))
                })?;
                let Some((key, summary)) = session else {
                    return Ok(None);
                };
                read_page(tx, (key, id), &summary.queued, &query).map(Some)
            })
            .await
    }
}

fn read_page(
    tx: &Tx<'_>,
    session: (i64, SessionId),
    queued: &[Seq],
    query: &EventQuery,
) -> Result<EventPage, StoreError> {
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let mut page = PageInMaking::new(limit.clamp(1, LIST_PAGE_EVENTS), PAGE_BYTES);
    let start = match query.order {
        Order::Ascending => Seq(0),
        // Until the log itself is begun, an input that is processed meanwhile shows there.
        Order::Descending => Seq(i64::MAX),
    };
    let mut cursor = query.cursor.unwrap_or(EventCursor {
        order: query.order,
        after: start,
        queued_after: start,
    });
    match query.order {
        Order::Ascending => {
            cursor.after = read_public(tx, session, cursor.after, query, &mut page)?;
            let behind = cursor.queued_after;
            let rest = queued.iter().filter(|seq| **seq > behind);
            cursor.queued_after = read_queued(tx, session, rest, behind, query, &mut page)?;
        }
        Order::Descending => {
            let behind = cursor.queued_after;
            let rest = queued.iter().rev().filter(|seq| **seq < behind);
            cursor.queued_after = read_queued(tx, session, rest, behind, query, &mut page)?;
            if !page.is_full() {
                cursor.queued_after = Seq(0);
                cursor.after = read_public(tx, session, cursor.after, query, &mut page)?;
            }
        }
    }
    Ok(EventPage {
        next: page.is_full().then_some(cursor),
        data: page.into_events(),
    })
}

fn read_public(
    tx: &Tx<'_>,
    session: (i64, SessionId),
    after: Seq,
    query: &EventQuery,
    page: &mut PageInMaking,
) -> Result<Seq, StoreError> {
    let range = PublicRange {
        order: query.order,
        after,
        types: word_list(query.types.iter().map(String::as_str)),
        created_at: query.created_at,
    };
    page.fill(tx, session, &range)
}

/// Adds the inputs of `rest` that the query wants; answers the last one that was looked at.
fn read_queued<'q>(
    tx: &Tx<'_>,
    (key, session): (i64, SessionId),
    rest: impl Iterator<Item = &'q Seq>,
    after: Seq,
    query: &EventQuery,
    page: &mut PageInMaking,
) -> Result<Seq, StoreError> {
    let mut last = after;
    if page.is_full() || !query.created_at.is_everything() {
        return Ok(last);
    }
    for seq in rest {
        let event = tx.one(QUEUED, &[&key, &seq.0], |row| {
            let row = EventRow::read(row, 0, &session.to_string())?;
            let name = row.name.into_owned();
            Ok(WireEvent::new(None, row.id, name, None, &row.body))
        })?;
        let event = event.ok_or_else(|| StoreError::Corrupt {
            what: format!("position {} is queued and not in the log", seq.0),
        })?;
        let is_wanted = query.types.is_empty() || query.types.contains(&event.name);
        if is_wanted && page.offer(event).is_break() {
            break;
        }
        last = *seq;
    }
    Ok(last)
}
