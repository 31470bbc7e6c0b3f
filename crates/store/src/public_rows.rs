//! The public side of a log: the rows that clients see, in the order of the log, a bounded piece
//! at a time.

use std::ops::ControlFlow;

use hostler_protocol::Timestamp;
use hostler_protocol::event::Seq;
use hostler_protocol::id::SessionId;

use crate::checksum::EventRow;
use crate::db::Tx;
use crate::parameter::Parameter;
use crate::wire_event::WireEvent;
use crate::{Order, StoreError, TimeRange};

/// Which public rows of a session.
pub(crate) struct PublicRange {
    pub(crate) order: Order,
    /// Behind this position, in that order.
    pub(crate) after: Seq,
    /// See [`crate::sessions_list::word_list`].
    pub(crate) types: String,
    pub(crate) created_at: TimeRange,
}

// An input's body is that of the row in which it was received.
const PUBLIC_ASCENDING: &str = "\
    select e.session_key, e.seq, e.id, e.type, e.visibility, e.source_seq, e.thread_id, e.epoch, e.at, \
    e.body, e.checksum, r.session_key, r.seq, r.id, r.type, r.visibility, r.source_seq, r.thread_id, \
    r.epoch, r.at, r.body, r.checksum from events e \
    left join events r on r.session_key = e.session_key and r.seq = e.source_seq \
    where e.session_key = $1 and e.seq > $2 and e.visibility = 'public' and e.thread_id is null \
    and ($3 = '' or replace($3, ',' || e.type || ',', '') <> $3) and e.at >= $4 and e.at <= $5 \
    order by e.seq limit $6";

const PUBLIC_DESCENDING: &str = "\
    select e.session_key, e.seq, e.id, e.type, e.visibility, e.source_seq, e.thread_id, e.epoch, e.at, \
    e.body, e.checksum, r.session_key, r.seq, r.id, r.type, r.visibility, r.source_seq, r.thread_id, \
    r.epoch, r.at, r.body, r.checksum from events e \
    left join events r on r.session_key = e.session_key and r.seq = e.source_seq \
    where e.session_key = $1 and e.seq < $2 and e.visibility = 'public' and e.thread_id is null \
    and ($3 = '' or replace($3, ',' || e.type || ',', '') <> $3) and e.at >= $4 and e.at <= $5 \
    order by e.seq desc limit $6";

/// Where the columns of the received row begin.
const SECOND: usize = 11;

/// Events up to a number and a size. Full means that there is at least one more.
pub(crate) struct PageInMaking {
    events: Vec<WireEvent>,
    limit: usize,
    bytes_max: usize,
    bytes: usize,
    is_full: bool,
}

impl PageInMaking {
    pub(crate) fn new(limit: usize, bytes_max: usize) -> Self {
        Self {
            events: Vec::new(),
            limit,
            bytes_max,
            bytes: 0,
            is_full: false,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    pub(crate) fn into_events(self) -> Vec<WireEvent> {
        self.events
    }

    /// Takes the event, or breaks off because there is no room. The first always has room.
    pub(crate) fn offer(&mut self, event: WireEvent) -> ControlFlow<()> {
        let bytes = self.bytes.saturating_add(event.json.len());
        if self.events.len() >= self.limit || (bytes > self.bytes_max && !self.events.is_empty()) {
            self.is_full = true;
            return ControlFlow::Break(());
        }
        self.bytes = bytes;
        self.events.push(event);
        ControlFlow::Continue(())
    }

    /// Takes public rows while there is room; answers the position of the last one.
    pub(crate) fn fill(
        &mut self,
        tx: &Tx<'_>,
        (key, session): (i64, SessionId),
        range: &PublicRange,
    ) -> Result<Seq, StoreError> {
        let sql = match range.order {
            Order::Ascending => PUBLIC_ASCENDING,
            Order::Descending => PUBLIC_DESCENDING,
        };
        let (first_at, last_at) = range.created_at.bounds();
        // One more than there is room for: it tells that there is more.
        let rows = i64::try_from(self.limit - self.events.len() + 1).unwrap_or(i64::MAX);
        let mut last = range.after;
        let session = session.to_string();
        let parameters: [&dyn Parameter; 6] = [
            &key,
            &range.after.0,
            &range.types,
            &first_at,
            &last_at,
            &rows,
        ];
        tx.each(sql, &parameters, |row| {
            let shown = EventRow::read(row, 0, &session)?;
            let body = match row.optional_integer(SECOND)? {
                Some(_) => EventRow::read(row, SECOND, &session)?.body,
                // Its own, unless it tells of another one.
                None if shown.source_seq.is_none() => shown.body,
                // It tells of a row that is not there.
                None => return Err(shown.damaged(&session)),
            };
            let (seq, at) = (Seq(shown.seq), Timestamp::from_micros(shown.at));
            let name = shown.name.into_owned();
            let event = WireEvent::new(Some(seq), shown.id, name, Some(at), &body);
            let flow = self.offer(event);
            if flow.is_continue() {
                last = seq;
            }
            Ok(flow)
        })?;
        Ok(last)
    }
}
