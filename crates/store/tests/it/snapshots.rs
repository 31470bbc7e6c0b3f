//! Snapshots: the newest of the reader's format, with the rows behind it.

use std::sync::Arc;

use hostler_domain::session::Refusal;
use hostler_protocol::event::Seq;
use hostler_protocol::id::SessionId;
use hostler_store::{NewSnapshot, OpenedLog};

use crate::log::agent_message;
use crate::session_folder::SessionFolder;

pub(crate) fn snapshot(seq: i64, texts_from: i64, texts: &[(i64, &str)]) -> NewSnapshot {
    NewSnapshot {
        format: 7,
        seq: Seq(seq),
        body: format!("at {seq}"),
        texts_from,
        texts: texts
            .iter()
            .map(|(n, text)| (*n, Arc::from(*text)))
            .collect(),
    }
}

impl SessionFolder {
    /// A session with this many rows.
    pub(crate) async fn session_of(&self, rows: i64) -> SessionId {
        let session = self.session().await.id;
        for number in 1..rows {
            self.record(session, vec![agent_message(&number.to_string())])
                .await;
        }
        session
    }

    pub(crate) async fn keep(&self, session: SessionId, snapshot: NewSnapshot) {
        self.store.keep_snapshot(session, snapshot).await.unwrap();
    }

    pub(crate) async fn opened(&self, session: SessionId, format: i64) -> OpenedLog {
        self.store.open_log(session, format, 100).await.unwrap()
    }

    /// What the snapshot says, its texts, and where the rows behind it begin and end.
    async fn found(&self, session: SessionId) -> (String, Vec<(i64, String)>, Vec<i64>) {
        let opened = self.opened(session, 7).await;
        let found = opened.snapshot.expect("a snapshot");
        let texts = found.texts.iter();
        (
            found.body,
            texts.map(|(n, text)| (*n, text.to_string())).collect(),
            opened.rows.iter().map(|row| row.seq.0).collect(),
        )
    }
}

fn texts(texts: &[(i64, &str)]) -> Vec<(i64, String)> {
    let owned = texts.iter().map(|(n, text)| (*n, (*text).to_owned()));
    owned.collect()
}

#[tokio::test]
async fn a_log_is_opened_at_its_newest_snapshot() {
    let at = SessionFolder::new().await;
    let session = at.session_of(9).await;
    let opened = at.opened(session, 7).await;
    assert!(opened.snapshot.is_none() && opened.rows.len() == 9 && opened.is_end);

    at.keep(session, snapshot(4, 0, &[(0, "a"), (1, "b")]))
        .await;
    let found = at.found(session).await;
    assert_eq!(
        found,
        (
            "at 4".to_owned(),
            texts(&[(0, "a"), (1, "b")]),
            vec![5, 6, 7, 8, 9]
        )
    );
    // The next has a text more, and one less.
    at.keep(session, snapshot(9, 1, &[(2, "c")])).await;
    let found = at.found(session).await;
    assert_eq!(
        found,
        ("at 9".to_owned(), texts(&[(1, "b"), (2, "c")]), vec![])
    );
}

#[tokio::test]
async fn an_earlier_snapshot_changes_nothing() {
    let at = SessionFolder::new().await;
    let session = at.session_of(6).await;
    at.keep(session, snapshot(5, 0, &[(0, "a")])).await;
    at.keep(session, snapshot(4, i64::MAX, &[(3, "x")])).await;
    let found = at.found(session).await;
    assert_eq!(found, ("at 5".to_owned(), texts(&[(0, "a")]), vec![6]));
}

#[tokio::test]
async fn a_snapshot_that_does_not_fit_is_not_read() {
    let at = SessionFolder::new().await;
    let session = at.session_of(3).await;
    at.keep(session, snapshot(2, 0, &[])).await;
    let opened = at.opened(session, 8).await;
    assert!(opened.snapshot.is_none() && opened.rows.len() == 3);
    // Of a position that this log does not have.
    at.keep(session, snapshot(4, 0, &[])).await;
    let opened = at.opened(session, 7).await;
    assert!(opened.snapshot.is_none() && opened.rows.len() == 3);
    // A reader of another format writes its own in its place, with all of its texts.
    let other = NewSnapshot {
        format: 8,
        ..snapshot(1, 0, &[(0, "other")])
    };
    at.keep(session, other).await;
    let opened = at.opened(session, 8).await;
    let found = opened.snapshot.expect("a snapshot");
    assert_eq!((found.body.as_str(), found.texts.len()), ("at 1", 1));
    assert!(at.opened(session, 7).await.snapshot.is_none());
}

#[tokio::test]
async fn a_snapshot_goes_with_its_session() {
    let at = SessionFolder::new().await;
    let (gone, kept) = (at.session_of(2).await, at.session_of(2).await);
    for session in [gone, kept] {
        at.keep(session, snapshot(2, 0, &[(0, "a")])).await;
    }
    let deleted = at
        .store
        .delete_session(at.workspace, gone, at.env.id(), at.env.now(), |_| {
            Ok::<_, Refusal>(())
        });
    deleted.await.unwrap();
    let opened = at.opened(gone, 7).await;
    assert!(opened.snapshot.is_none() && opened.rows.is_empty());
    at.keep(gone, snapshot(3, 0, &[])).await;
    assert!(at.opened(gone, 7).await.snapshot.is_none());
    at.found(kept).await;
}

#[tokio::test]
async fn a_page_says_whether_there_is_more() {
    let at = SessionFolder::new().await;
    let session = at.session_of(5).await;
    let opened = at.store.open_log(session, 7, 4).await.unwrap();
    assert!(!opened.is_end && opened.rows.len() == 4);
    let opened = at.store.open_log(session, 7, 6).await.unwrap();
    assert!(opened.is_end && opened.rows.len() == 5);
}
