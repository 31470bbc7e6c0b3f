//! Snapshots of what logs amount to. They are a cache: whoever opens a log gets the newest one that it can
//! read, with the rows behind it, and folds from there. What is in one is none of this crate's business.
//!
//! **Invariant:** a snapshot is of rows that were durable when it was made, and it is committed behind them.
//! So it needs no fence: a runner that has lost its lease writes what is true all the same. A later
//! position replaces an earlier one and never the other way round.

use std::ops::ControlFlow;
use std::sync::Arc;

use hostler_protocol::event::{Recorded, Seq};
use hostler_protocol::id::SessionId;

use crate::checksum::{EventRow, checksum_of_part, read_part};
use crate::db::{Scope, Tx};
use crate::limits::PAGE_BYTES;
use crate::log::{READ_LOG, recorded};
use crate::parameter::Parameter;
use crate::{Store, StoreError};

/// A log from where a fold of it has to begin.
#[derive(Debug)]
pub struct OpenedLog {
    pub snapshot: Option<StoredSnapshot>,
    /// Those behind the snapshot, or the first ones.
    pub rows: Vec<Recorded>,
    /// Whether these were all.
    pub is_end: bool,
}

/// A snapshot as it was found.
#[derive(Debug)]
pub struct StoredSnapshot {
    pub seq: Seq,
    pub body: String,
    /// By their numbers, in order.
    pub texts: Vec<(i64, Arc<str>)>,
}

/// A snapshot to be kept.
#[derive(Debug)]
pub struct NewSnapshot {
    /// The one format that its readers understand.
    pub format: i64,
    pub seq: Seq,
    pub body: String,
    /// Texts of earlier snapshots with smaller numbers are not needed any more.
    pub texts_from: i64,
    /// Those that were not kept with an earlier one.
    pub texts: Vec<(i64, Arc<str>)>,
}

/// One that says to be of a later position than the log has is not of this log.
const FIND: &str = "\
    select n.session_key, n.seq, n.body, n.checksum from session_snapshots n \
    join sessions s on s.key = n.session_key \
    where s.id = $1 and n.format = $2 and n.seq <= s.last_seq";

const FIND_TEXTS: &str = "\
    select t.session_key, t.number, t.body, t.checksum from session_snapshot_texts t \
    join sessions s on s.key = t.session_key where s.id = $1 and t.format = $2 order by t.number";

const KEY_OF_SESSION: &str = "select key from sessions where id = $1";

const KEEP: &str = "\
    insert into session_snapshots (session_key, format, seq, body, checksum) \
    values ($1, $2, $3, $4, $5) \
    on conflict (session_key) do update \
    set format = excluded.format, seq = excluded.seq, body = excluded.body, \
    checksum = excluded.checksum \
    where session_snapshots.format <> excluded.format or session_snapshots.seq < excluded.seq";

const KEEP_TEXT: &str = "\
    insert into session_snapshot_texts (session_key, format, number, body, checksum) \
    values ($1, $2, $3, $4, $5) on conflict (session_key, format, number) \
    do update set body = excluded.body, checksum = excluded.checksum";

const FORGET_TEXTS: &str = "\
    delete from session_snapshot_texts where session_key = $1 and (format <> $2 or number < $3)";

const DELETE_SNAPSHOT: &str = "delete from session_snapshots where session_key = $1";
const DELETE_TEXTS: &str = "delete from session_snapshot_texts where session_key = $1";

impl Store {
    /// The newest snapshot of this format, and up to `limit` rows behind it, or fewer where they are long.
    /// Neither if there is no such session.
    pub async fn open_log(
        &self,
        session: SessionId,
        format: i64,
        limit: u32,
    ) -> Result<OpenedLog, StoreError> {
        self.db
            .read(move |tx| {
                let snapshot = find(tx, session, format)?;
                let after = snapshot.as_ref().map_or(Seq::default(), |found| found.seq);
                let (mut rows, mut length, mut is_end) = (Vec::new(), 0, true);
                let id = session.to_string();
                tx.each(READ_LOG, &[&id, &after.0, &limit], |row| {
                    let row = EventRow::read(row, 0, &id)?;
                    length += row.body.len();
                    rows.push(recorded(&row)?);
                    if length > PAGE_BYTES {
                        is_end = false;
                        return Ok(ControlFlow::Break(()));
                    }
                    Ok(ControlFlow::Continue(()))
                })?;
                is_end &= rows.len() < limit as usize;
                Ok(OpenedLog {
                    snapshot,
                    rows,
                    is_end,
                })
            })
            .await
    }

    /// Keeps `snapshot` in the place of the one before, unless that is of a later position. Nobody waits
    /// for the disk: what a crash takes back is made again.
    pub async fn keep_snapshot(
        &self,
        session: SessionId,
        snapshot: NewSnapshot,
    ) -> Result<(), StoreError> {
        if self.is_cut_off() {
            std::future::pending::<()>().await;
        }
        let keep = move |tx: &Tx<'_>| keep(tx, session, &snapshot);
        self.db
            .write_unsynced(Scope::Session(session), keep, |()| {})
            .await
    }
}

fn find(
    tx: &Tx<'_>,
    session: SessionId,
    format: i64,
) -> Result<Option<StoredSnapshot>, StoreError> {
    let id = session.to_string();
    let found = tx.one(FIND, &[&id, &format], |row| Ok(read_part(row)))?;
    // A damaged one is of no use; the log says the same.
    let Some((seq, body)) = found.flatten() else {
        return Ok(None);
    };
    let texts = tx.all(FIND_TEXTS, &[&id, &format], |row| {
        Ok(read_part(row).map(|(number, text)| (number, Arc::from(text))))
    })?;
    Ok(Some(StoredSnapshot {
        seq: Seq(seq),
        body,
        // If one that is damaged is needed, the reader finds that it is not there.
        texts: texts.into_iter().flatten().collect(),
    }))
}

fn keep(tx: &Tx<'_>, session: SessionId, snapshot: &NewSnapshot) -> Result<(), StoreError> {
    let key = tx.one(KEY_OF_SESSION, &[&session.to_string()], |row| {
        row.integer(0)
    })?;
    let Some(key) = key else {
        return Ok(());
    };
    let format = snapshot.format;
    let (seq, body) = (snapshot.seq.0, &snapshot.body);
    let checksum = checksum_of_part(key, seq, body);
    let parameters: [&dyn Parameter; 5] = [&key, &format, &seq, body, &checksum];
    let kept = tx.execute(KEEP, &parameters)?;
    if kept == 0 {
        // There is a later one, to which the texts belong that are there.
        return Ok(());
    }
    for (number, text) in &snapshot.texts {
        let checksum = checksum_of_part(key, *number, text);
        let parameters: [&dyn Parameter; 5] = [&key, &format, number, text, &checksum];
        tx.execute(KEEP_TEXT, &parameters)?;
    }
    tx.execute(FORGET_TEXTS, &[&key, &format, &snapshot.texts_from])?;
    Ok(())
}

/// With its session.
pub(crate) fn delete_snapshot(tx: &Tx<'_>, session_key: i64) -> Result<(), StoreError> {
    tx.execute(DELETE_SNAPSHOT, &[&session_key])?;
    tx.execute(DELETE_TEXTS, &[&session_key])?;
    Ok(())
}
