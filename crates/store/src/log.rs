//! The log of a session: the one function that appends to it, and the read that a fold needs.
//!
//! **Invariant:** only [`insert_events`] writes rows of `events`, and it writes what follows from
//! them (status, usage, queue, when a runner is due) in the same transaction. Positions come from
//! the session's row, so they have no gaps and no two writers get the same one.

use std::ops::ControlFlow;
use std::sync::Arc;

use hostler_domain::session::{Summary, is_progress};
use hostler_protocol::Timestamp;
use hostler_protocol::agent::SessionAgent;
use hostler_protocol::event::{Audience, Draft, Epoch, Event, Recorded, Seq};
use hostler_protocol::id::{EventId, SessionId};

use crate::checksum::EventRow;
use crate::db::{Scope, Tx};
use crate::hub::{Growth, Urgency};
use crate::lease::forget_takes;
use crate::limits::PAGE_BYTES;
use crate::parameter::Parameter;
use crate::{Lease, Store, StoreError};

/// Why a runner's events were not appended. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The log has grown past the expected position: read and decide again.
    #[error("the log has grown in the meantime")]
    Moved,
    /// Somebody else has the session now.
    #[error("the lease is lost")]
    LostLease,
    #[error("no such session")]
    NoSuchSession,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who appends.
pub(crate) enum Writer<'l> {
    /// Who has found the end of the log in this transaction.
    Client(&'l LogEnd),
    /// Only with this lease, and only if the log ends at `expected`.
    Runner { lease: &'l Lease, expected: Seq },
}

/// Where a log ends, and what it amounts to there.
#[derive(Debug, Clone)]
pub(crate) struct LogEnd {
    pub(crate) key: i64,
    pub(crate) last: Seq,
    pub(crate) summary: Summary,
}

/// What became of an append.
pub(crate) struct Appended {
    pub(crate) first: Seq,
    pub(crate) last: Seq,
    pub(crate) summary: Summary,
}

const TAKE_PLACES_AS_RUNNER: &str = "\
    update sessions set last_seq = last_seq + $2 \
    where id = $1 and last_seq = $3 and lease_owner = $4 and lease_epoch = $5 \
    returning key, summary";

const LEASE_OF_SESSION: &str = "select lease_owner, lease_epoch from sessions where id = $1";

const INSERT_EVENT: &str = "\
    insert into events \
    (session_key, seq, id, type, visibility, source_seq, thread_id, epoch, at, body, checksum) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";

const UPDATE_SUMMARY: &str = "\
    update sessions set status = $2, summary = $3, updated_at = $4, needs_runner_at = $5 \
    where key = $1";

const MOVE_END: &str = "\
    update sessions set last_seq = $3, summary = $4, updated_at = $5 \
    where key = $1 and last_seq = $2";

// An index has to follow the last column, even where that stays as it is.
const MOVE_END_AND_STATUS: &str = "\
    update sessions set last_seq = $3, summary = $4, updated_at = $5, status = $6, \
    needs_runner_at = $7 where key = $1 and last_seq = $2";

const UPDATE_AGENT: &str = "update session_agents set agent = $2 where session_key = $1";

pub(crate) const READ_LOG: &str = "\
    select session_key, seq, id, type, visibility, source_seq, thread_id, epoch, at, body, checksum \
    from events \
    where session_key = (select key from sessions where id = $1) and seq > $2 \
    order by seq limit $3";

/// Positions that [`READ_ROWS`] takes.
const ROWS_AT_ONCE: usize = 32;

const READ_ROWS: &str = "\
    select session_key, seq, id, type, visibility, source_seq, thread_id, epoch, at, body, checksum \
    from events \
    where session_key = (select key from sessions where id = $1) and seq in ( \
        $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
        $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32, $33) \
    order by seq desc";

impl Store {
    /// Appends for the holder of `lease`, if the log still ends at `expected`.
    ///
    /// # Errors
    /// See [`AppendError`].
    pub async fn append(
        &self,
        lease: &Lease,
        expected: Seq,
        drafts: Vec<Draft>,
    ) -> Result<(), AppendError> {
        if drafts.is_empty() {
            return Ok(());
        }
        let session = lease.session;
        let lease = lease.clone();
        let previewed = previewed(&drafts);
        if self
            .power_cut
            .as_ref()
            .is_some_and(|cut| !cut.allows_append())
        {
            std::future::pending::<()>().await;
        }
        let append = move |tx: &Tx<'_>| {
            let writer = Writer::Runner {
                lease: &lease,
                expected,
            };
            insert_events(tx, session, &writer, drafts)
        };
        // The supervisor knows of the runner that appends.
        let hub = Arc::clone(&self.hub);
        let tell = move |appended: &Appended| {
            hub.wake(session, Growth::To(appended.last, Urgency::Waits));
            hub.previews_superseded(session, &previewed);
        };
        let scope = Scope::Session(session);
        self.db.write_in(scope, append, tell).await?;
        if self.is_cut_off() {
            // On disk, and nobody is left to hear of it.
            std::future::pending::<()>().await;
        }
        Ok(())
    }

    /// Up to `limit` rows behind `after`, internal ones included, or fewer where they are long;
    /// at least one if there is one. None if there are no more, or no such session.
    pub async fn read_log(
        &self,
        session: SessionId,
        after: Seq,
        limit: u32,
    ) -> Result<Vec<Recorded>, StoreError> {
        self.db
            .read(move |tx| {
                let id = session.to_string();
                page(tx, READ_LOG, &[&id, &after.0, &limit], &id)
            })
            .await
    }

    /// The rows at the first of these positions, the newest first: up to 32 of them, or fewer where they are long; at
    /// least one if there is one. Whoever wants the others asks on with those below the last one.
    pub async fn read_rows(
        &self,
        session: SessionId,
        positions: &[Seq],
    ) -> Result<Vec<Recorded>, StoreError> {
        // None is at 0.
        let mut wanted = [0; ROWS_AT_ONCE];
        for (place, position) in wanted.iter_mut().zip(positions) {
            *place = position.0;
        }
        self.db
            .read(move |tx| {
                let id = session.to_string();
                let mut parameters: Vec<&dyn Parameter> = vec![&id];
                parameters.extend(wanted.iter().map(|place| place as &dyn Parameter));
                page(tx, READ_ROWS, &parameters, &id)
            })
            .await
    }
}

/// Rows of the log until there are no more, or they are long enough.
fn page(
    tx: &Tx<'_>,
    sql: &'static str,
    parameters: &[&dyn Parameter],
    session: &str,
) -> Result<Vec<Recorded>, StoreError> {
    let (mut rows, mut length) = (Vec::new(), 0);
    tx.each(sql, parameters, |row| {
        let row = EventRow::read(row, 0, session)?;
        length += row.body.len();
        rows.push(recorded(&row)?);
        Ok(match length > PAGE_BYTES {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })?;
    Ok(rows)
}

/// Those of which previews may have been shown.
fn previewed(drafts: &[Draft]) -> Vec<EventId> {
    let is_previewed = |draft: &&Draft| {
        matches!(
            draft.event,
            Event::AgentMessage(_) | Event::AgentThinking(_)
        )
    };
    let previewed = drafts.iter().filter(is_previewed);
    previewed.map(|draft| draft.id).collect()
}

/// Appends `drafts`, which must be some, and brings the session's row up to date.
pub(crate) fn insert_events(
    tx: &Tx<'_>,
    session: SessionId,
    writer: &Writer<'_>,
    drafts: Vec<Draft>,
) -> Result<Appended, AppendError> {
    let count = i64::try_from(drafts.len()).unwrap_or(i64::MAX);
    let before = match writer {
        Writer::Client(end) => (*end).clone(),
        Writer::Runner { lease, expected } => take_places(tx, session, lease, *expected, count)?,
    };
    let (key, mut summary) = (before.key, before.summary.clone());
    let (epoch, takes) = match writer {
        Writer::Client(_) => (Epoch::CLIENT, 0),
        Writer::Runner { lease, .. } => (lease.epoch, lease.takes),
    };
    // Who took it first has nothing to clear: the next one counts on from one and clears that.
    if takes > 1 && drafts.iter().any(|draft| is_progress(&draft.event)) {
        forget_takes(tx, key)?;
    }
    let (first, last) = (before.last.next(), Seq(before.last.0 + count));
    let mut seq = first;
    for draft in drafts {
        let recorded = draft.recorded(seq, epoch);
        summary.apply(&recorded);
        insert_event(tx, key, &recorded)?;
        if let Event::SessionUpdated(updated) = &recorded.event
            && let Some(agent) = &updated.agent
        {
            update_agent(tx, key, agent)?;
        }
        seq = seq.next();
    }
    match writer {
        Writer::Client(_) => move_end(tx, &before, last, &summary)?,
        Writer::Runner { .. } => update_summary(tx, key, &summary)?,
    }
    Ok(Appended {
        first,
        last,
        summary,
    })
}

/// Where the log ended before; nobody else gets the places behind that.
fn take_places(
    tx: &Tx<'_>,
    session: SessionId,
    lease: &Lease,
    expected: Seq,
    count: i64,
) -> Result<LogEnd, AppendError> {
    let id = session.to_string();
    let parameters: [&dyn Parameter; 5] = [&id, &count, &expected.0, &lease.owner, &lease.epoch.0];
    let end = tx.one(TAKE_PLACES_AS_RUNNER, &parameters, |row| {
        Ok(LogEnd {
            key: row.integer(0)?,
            last: expected,
            summary: row.json(1)?,
        })
    });
    match end? {
        Some(end) => Ok(end),
        None => Err(why_no_places(tx, &id, lease)?),
    }
}

/// Asked in the transaction that found no place, so the answer can't be another one by now.
fn why_no_places(tx: &Tx<'_>, id: &str, lease: &Lease) -> Result<AppendError, StoreError> {
    let holder = tx.one(LEASE_OF_SESSION, &[&id], |row| {
        Ok((row.optional_text(0)?, row.integer(1)?))
    })?;
    Ok(match holder {
        None => AppendError::NoSuchSession,
        Some((Some(owner), epoch)) if owner == *lease.owner && epoch == lease.epoch.0 => {
            AppendError::Moved
        }
        Some(_) => AppendError::LostLease,
    })
}

fn insert_event(tx: &Tx<'_>, key: i64, recorded: &Recorded) -> Result<(), StoreError> {
    let event = &recorded.event;
    // The public place of an input is where it was processed: its row there has the face of the
    // input, and its body says which row was processed.
    let (id, name, visibility, source) = if let Event::InputProcessed(processed) = event {
        let (name, received) = (processed.event_type.as_str(), processed.received_seq);
        (processed.event_id, name, "public", Some(received.0))
    } else {
        (recorded.id, event.name(), visibility(event), None)
    };
    let row = EventRow {
        session_key: key,
        seq: recorded.seq.0,
        id: id.to_string(),
        name: name.into(),
        visibility: visibility.into(),
        source_seq: source,
        thread: recorded.thread.map(|thread| thread.to_string()),
        epoch: recorded.epoch.0,
        at: recorded.at.as_micros(),
        body: event.to_json(),
    };
    tx.execute(
        INSERT_EVENT,
        &[
            &row.session_key,
            &row.seq,
            &row.id,
            &row.name.as_ref(),
            &row.visibility.as_ref(),
            &row.source_seq,
            &row.thread,
            &row.epoch,
            &row.at,
            &row.body,
            &row.checksum(),
        ],
    )?;
    Ok(())
}

fn visibility(event: &Event) -> &'static str {
    match event.audience() {
        Audience::Public => "public",
        Audience::Queued => "queued",
        Audience::Internal => "internal",
    }
}

/// The end of a log that a client has made longer.
fn move_end(tx: &Tx<'_>, before: &LogEnd, last: Seq, summary: &Summary) -> Result<(), AppendError> {
    let (text, updated_at) = (json(summary)?, summary.updated_at.as_micros());
    let needs_runner_at = summary.needs_runner_at();
    let is_same = summary.status == before.summary.status
        && needs_runner_at == before.summary.needs_runner_at();
    let moved = if is_same {
        let parameters: [&dyn Parameter; 5] =
            [&before.key, &before.last.0, &last.0, &text, &updated_at];
        tx.execute(MOVE_END, &parameters)?
    } else {
        let needs_runner_at = needs_runner_at.map(|at| at.as_micros());
        let parameters: [&dyn Parameter; 7] = [
            &before.key,
            &before.last.0,
            &last.0,
            &text,
            &updated_at,
            &summary.status.as_str(),
            &needs_runner_at,
        ];
        tx.execute(MOVE_END_AND_STATUS, &parameters)?
    };
    match moved {
        0 => Err(AppendError::NoSuchSession),
        _ => Ok(()),
    }
}

fn update_summary(tx: &Tx<'_>, key: i64, summary: &Summary) -> Result<(), StoreError> {
    let needs_runner_at = summary.needs_runner_at().map(|at| at.as_micros());
    tx.execute(
        UPDATE_SUMMARY,
        &[
            &key,
            &summary.status.as_str(),
            &json(summary)?,
            &summary.updated_at.as_micros(),
            &needs_runner_at,
        ],
    )?;
    Ok(())
}

pub(crate) fn update_agent(tx: &Tx<'_>, key: i64, agent: &SessionAgent) -> Result<(), StoreError> {
    tx.execute(UPDATE_AGENT, &[&key, &json(agent)?])?;
    Ok(())
}

/// The text of a value for a column.
pub(crate) fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt {
        what: format!("a value without a JSON form: {error}"),
    })
}

pub(crate) fn recorded(row: &EventRow<'_>) -> Result<Recorded, StoreError> {
    let name = match row.source_seq {
        Some(_) => "hostler.input_processed",
        None => row.name.as_ref(),
    };
    let corrupt = |error: &dyn std::fmt::Display| StoreError::Corrupt {
        what: format!("the event {}: {error}", row.id),
    };
    let thread = row.thread.as_deref().map(str::parse).transpose();
    Ok(Recorded {
        seq: Seq(row.seq),
        epoch: Epoch(row.epoch),
        id: row.id.parse().map_err(|error| corrupt(&error))?,
        at: Timestamp::from_micros(row.at),
        thread: thread.map_err(|error| corrupt(&error))?,
        event: Event::from_json(name, &row.body).map_err(|error| corrupt(&error))?,
    })
}
