//! How a runner comes to know what a log amounts to: from the newest snapshot and the rows behind it, or
//! from the first row; and when it leaves a snapshot for the next one. Snapshots are a cache: one that is
//! of no use costs the time that it would have saved, and nothing else.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use hostler_domain::session::{SNAPSHOT_FORMAT, Snapshot, State};
use hostler_protocol::event::{Recorded, Seq};
use hostler_protocol::id::SessionId;
use hostler_store::{NewSnapshot, Store, StoreError, StoredSnapshot};

use crate::limits::{LOG_PAGE, SNAPSHOT_BYTES_MAX, SNAPSHOT_ROWS};

/// What is known to be kept of a session.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Kept {
    /// The last row that is in the snapshot.
    seq: Seq,
    /// The number of the first text that is not kept yet.
    next_text: i64,
}

/// The state that the whole log amounts to; none without a session. A start and a take-over are both this.
pub(crate) async fn fold(
    store: &Store,
    session: SessionId,
) -> Result<Option<(State, Kept)>, StoreError> {
    let opened = store.open_log(session, SNAPSHOT_FORMAT, LOG_PAGE).await?;
    let restored = opened
        .snapshot
        .and_then(|snapshot| restored(session, snapshot));
    let (state, kept, is_end) = match restored {
        Some((mut state, kept)) => {
            apply(&mut state, &opened.rows);
            (state, kept, opened.is_end)
        }
        None => {
            // If there was one, the rows are those behind it.
            let rows = match opened.rows.first() {
                Some(first) if first.seq == Seq(1) => opened.rows,
                Some(_) | None => store.read_log(session, Seq::default(), LOG_PAGE).await?,
            };
            let Some((first, rest)) = rows.split_first() else {
                return Ok(None);
            };
            let mut state = State::new(first);
            apply(&mut state, rest);
            (state, Kept::default(), false)
        }
    };
    let state = match is_end {
        true => state,
        false => to_the_end(store, session, state).await?,
    };
    Ok(Some((state, kept)))
}

async fn to_the_end(
    store: &Store,
    session: SessionId,
    mut state: State,
) -> Result<State, StoreError> {
    loop {
        let rows = store.read_log(session, state.last_seq(), LOG_PAGE).await?;
        if rows.is_empty() {
            return Ok(state);
        }
        apply(&mut state, &rows);
    }
}

pub(crate) fn apply(state: &mut State, rows: &[Recorded]) {
    for row in rows {
        state.apply(row);
    }
    let count = u64::try_from(rows.len()).unwrap_or(u64::MAX);
    metrics::counter!("hostler_log_rows_folded_total").increment(count);
}

fn restored(session: SessionId, snapshot: StoredSnapshot) -> Option<(State, Kept)> {
    let StoredSnapshot { seq, body, texts } = snapshot;
    let text = |number: i64| {
        let found = texts.binary_search_by_key(&number, |(number, _)| *number);
        Some(Arc::clone(&texts[found.ok()?].1))
    };
    match State::restore(seq, &body, text) {
        Ok(state) => {
            let next_text = texts.last().map_or(0, |(number, _)| number + 1);
            Some((state, Kept { seq, next_text }))
        }
        Err(error) => {
            tracing::warn!(%session, %error, "a snapshot is of no use; the log is folded from its beginning");
            None
        }
    }
}

/// Leaves snapshots of one session behind its runner, beside what the runner does.
pub(crate) struct Snapshots {
    store: Store,
    session: SessionId,
    kept: Kept,
    /// The position of the last that was tried: the next one is as far away if it failed.
    tried: Seq,
    /// At most one at a time.
    keeping: Option<BoxFuture<'static, Option<Kept>>>,
}

impl Snapshots {
    pub(crate) fn new(store: Store, session: SessionId, kept: Kept) -> Self {
        Self {
            store,
            session,
            kept,
            tried: kept.seq,
            keeping: None,
        }
    }

    /// Begins to keep one of `state`, whose rows are all in the log, if it is time.
    pub(crate) fn consider(&mut self, state: &State) {
        if self.keeping.is_some() || state.last_seq().0 - self.tried.0 < SNAPSHOT_ROWS {
            return;
        }
        self.tried = state.last_seq();
        let keeping = keep(self.store.clone(), self.session, state.clone(), self.kept);
        self.keeping = Some(keeping.boxed());
    }

    /// Goes on until there is none under way. Cancel-safe.
    pub(crate) async fn settle(&mut self) {
        if let Some(keeping) = &mut self.keeping {
            let kept = keeping.await;
            self.keeping = None;
            self.kept = kept.unwrap_or(self.kept);
        }
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.keeping.is_none()
    }
}

async fn keep(store: Store, session: SessionId, state: State, before: Kept) -> Option<Kept> {
    let snapshot = match state.snapshot() {
        Ok(snapshot) if snapshot.body.len() <= SNAPSHOT_BYTES_MAX => snapshot,
        Ok(_) => return None,
        Err(error) => {
            tracing::warn!(%session, %error, "no snapshot can be made");
            return None;
        }
    };
    let kept = Kept {
        seq: snapshot.seq,
        next_text: snapshot.next_number,
    };
    let new = new_snapshot(snapshot, before.next_text);
    match store.keep_snapshot(session, new).await {
        Ok(()) => Some(kept),
        Err(error) => {
            tracing::warn!(%session, %error, "a snapshot can't be kept");
            None
        }
    }
}

fn new_snapshot(snapshot: Snapshot, next_text: i64) -> NewSnapshot {
    let first = snapshot.sealed.first();
    let texts_from = first.map_or(i64::MAX, |sealed| sealed.number);
    let new = snapshot
        .sealed
        .into_iter()
        .filter(|sealed| sealed.number >= next_text);
    NewSnapshot {
        format: SNAPSHOT_FORMAT,
        seq: snapshot.seq,
        body: snapshot.body,
        texts_from,
        texts: new.map(|sealed| (sealed.number, sealed.json)).collect(),
    }
}
