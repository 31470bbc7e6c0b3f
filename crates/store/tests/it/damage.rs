//! Bits that a disk has flipped: what is served is what was written, or an error.

use std::path::Path;

use hostler_protocol::event::Seq;
use hostler_protocol::id::{SessionId, WorkspaceId};
use hostler_store::{DATABASE_FILE, Order, Store, StoreError};
use hostler_testkit::database::postgres_server;

use crate::log::agent_message;
use crate::session_folder::{SessionFolder, query, store_options};
use crate::snapshots::snapshot;

const ROWS: usize = 60;
const FLIPS: usize = 400;

/// What somebody was shown, piece by piece.
#[derive(Default)]
struct Shown {
    pieces: Vec<String>,
    damages: usize,
    failures: usize,
}

impl Shown {
    fn note<T>(&mut self, read: Result<Vec<T>, StoreError>, text: impl Fn(T) -> String) {
        match read {
            Ok(rows) => self.pieces.extend(rows.into_iter().map(text)),
            Err(StoreError::Damaged { .. }) => self.damages += 1,
            Err(_) => self.failures += 1,
        }
    }
}

async fn shown(store: &Store, workspace: WorkspaceId, session: SessionId) -> Shown {
    let mut shown = Shown::default();
    let log = store.read_log(session, Seq::default(), 1_000).await;
    shown.note(log, |row| format!("{row:?}"));
    let page = store
        .list_events(workspace, session, query(Order::Ascending, 1_000))
        .await;
    let events = page.map(|page| page.map(|page| page.data).unwrap_or_default());
    shown.note(events, |event| format!("{event:?}"));
    shown
}

/// Every page of the file in which there are rows of the log.
fn pages_of_rows(file: &[u8]) -> Vec<usize> {
    let has_rows = |page: &[u8]| page.windows(13).any(|bytes| bytes == b"agent.message");
    let pages = file.chunks(4096).enumerate();
    let pages = pages.filter(|(_, page)| has_rows(page));
    pages.map(|(number, _)| number * 4096).collect()
}

/// The whole database in its one file.
fn settle(folder: &Path) -> Vec<u8> {
    let connection = rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap();
    connection
        .query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
        .unwrap();
    drop(connection);
    std::fs::read(folder.join(DATABASE_FILE)).unwrap()
}

#[tokio::test]
async fn a_flipped_bit_is_never_served() {
    if postgres_server().is_some() {
        // It has checksums of its own pages.
        return;
    }
    let at = SessionFolder::new().await;
    let session = at.session().await.id;
    for number in 0..ROWS {
        at.record(session, vec![agent_message(&format!("message {number}"))])
            .await;
    }
    let truth = shown(&at.store, at.workspace, session).await.pieces;
    assert_eq!(truth.len(), 2 * ROWS + 1, "the first row is internal");
    let whole = settle(at.folder.path());
    let pages = pages_of_rows(&whole);
    let (mut damages, mut random) = (0, 7_u64);
    for _ in 0..FLIPS {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let bits = usize::try_from(random >> 33).unwrap();
        let place = pages[bits % pages.len()] + (bits >> 8) % 4096;
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (bits >> 20 & 7);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(DATABASE_FILE), flipped).unwrap();
        let Ok(store) = Store::open_with(folder.path(), store_options()) else {
            continue;
        };
        let now = shown(&store, at.workspace, session).await;
        for piece in &now.pieces {
            assert!(truth.contains(piece), "byte {place}: {piece}");
        }
        damages += usize::from(now.damages > 0);
    }
    assert!(damages > FLIPS / 4, "only {damages} were found as damages");
}

#[tokio::test]
async fn a_row_without_a_checksum_is_an_old_one() {
    if postgres_server().is_some() {
        return;
    }
    let at = SessionFolder::new().await;
    let session = at.session().await.id;
    let truth = shown(&at.store, at.workspace, session).await.pieces;
    let connection = rusqlite::Connection::open(at.folder.path().join(DATABASE_FILE)).unwrap();
    connection
        .execute("update events set checksum = null", [])
        .unwrap();
    let now = shown(&at.reopened(), at.workspace, session).await;
    assert_eq!((now.pieces, now.damages), (truth, 0));
}

#[tokio::test]
async fn what_is_damaged_of_a_snapshot_is_not_there_until_it_is_kept_again() {
    if postgres_server().is_some() {
        return;
    }
    let kept = [(0, "a"), (1, "b")];
    for (damage, texts_left) in [
        ("update session_snapshots set body = 'another'", None),
        ("update session_snapshots set body = x'ff'", None),
        ("update session_snapshots set seq = 1", None),
        (
            "update session_snapshot_texts set body = 'c' where number = 1",
            Some(1),
        ),
        (
            "update session_snapshot_texts set number = 2 where number = 1",
            Some(1),
        ),
    ] {
        let at = SessionFolder::new().await;
        let session = at.session_of(3).await;
        at.keep(session, snapshot(2, 0, &kept)).await;
        let connection = rusqlite::Connection::open(at.folder.path().join(DATABASE_FILE)).unwrap();
        connection.execute(damage, []).unwrap();
        let opened = at.opened(session, 7).await;
        let found = opened.snapshot.map(|found| found.texts.len());
        assert_eq!(found, texts_left, "{damage}");
        assert_eq!(opened.rows.len(), texts_left.map_or(3, |_| 1), "{damage}");

        at.keep(session, snapshot(3, 0, &kept)).await;
        let found = at
            .opened(session, 7)
            .await
            .snapshot
            .map(|found| found.texts.len());
        assert_eq!(found, Some(2), "{damage}");
    }
}
