//! What a session made: one file for each path, and what becomes of it.

use hostler_protocol::file::FileMetadata;
use hostler_protocol::id::SessionId;
use hostler_store::{NewFile, OutputKept, OutputWritten, SeenOutput};

use crate::session_folder::SessionFolder;
use crate::store_folder::first;

async fn keep(
    at: &SessionFolder,
    session: SessionId,
    path: &str,
    print: &str,
    content: &[u8],
) -> OutputKept {
    let seen = SeenOutput {
        path: path.into(),
        fingerprint: print.into(),
        written: OutputWritten::Anew,
    };
    keep_seen(at, session, seen, content).await
}

async fn keep_seen(
    at: &SessionFolder,
    session: SessionId,
    seen: SeenOutput,
    content: &[u8],
) -> OutputKept {
    let file = NewFile {
        id: at.env.id(),
        filename: seen.path.rsplit('/').next().unwrap().into(),
        mime_type: "text/plain".into(),
        created_at: at.env.now(),
        expires_at: None,
        quota_bytes: 10,
    };
    let mut upload = at.store.begin_upload(file.id).await.unwrap();
    upload.write(content).await.unwrap();
    let kept = at.store.keep_output(session, seen, file, upload);
    kept.await.unwrap()
}

async fn files(at: &SessionFolder, session: SessionId) -> Vec<FileMetadata> {
    let now = at.env.now();
    let list = at.store.files(at.workspace, Some(session), now, first(9));
    list.await.unwrap()
}

async fn known(at: &SessionFolder, session: SessionId) -> Vec<(String, Option<String>)> {
    let known = at.store.session_outputs(session).await.unwrap();
    let pairs = known.into_iter();
    pairs.map(|known| (known.path, known.fingerprint)).collect()
}

fn blobs(at: &SessionFolder) -> usize {
    let folder = at.folder.path().join("blobs/files");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_path_has_one_file_which_never_changes() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let first = keep(&at, id, "a/r.txt", "1", b"one").await;
    let OutputKept::Kept(one) = first else {
        panic!("{first:?}")
    };
    let shown = files(&at, id).await;
    assert_eq!((shown[0].id, shown[0].downloadable), (one, true));
    assert_eq!(shown[0].filename, "r.txt");
    let same = keep(&at, id, "a/r.txt", "2", b"one").await;
    assert_eq!(same, OutputKept::Unchanged);
    assert_eq!(files(&at, id).await, shown);
    assert_eq!(known(&at, id).await, [("a/r.txt".into(), Some("2".into()))]);
    let other = keep(&at, id, "a/r.txt", "3", b"two").await;
    let OutputKept::Kept(two) = other else {
        panic!("{other:?}")
    };
    assert_ne!(one, two);
    let ids: Vec<_> = files(&at, id)
        .await
        .into_iter()
        .map(|file| file.id)
        .collect();
    assert_eq!(ids, [two]);
    assert_eq!(blobs(&at), 1);
}

#[tokio::test]
async fn outputs_count_to_the_quota_and_go_with_their_session() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    keep(&at, id, "a", "1", b"123456").await;
    let refused = keep(&at, id, "b", "1", b"12345").await;
    assert_eq!(refused, OutputKept::QuotaExceeded);
    // It is not remembered, so that the next look tries again.
    assert_eq!(known(&at, id).await, [("a".into(), Some("1".into()))]);
    for (path, size, fits) in [("b", 4, true), ("b", 5, false), ("a", 10, true)] {
        let asked = at.store.has_room_for_output(id, path.into(), size, 10);
        assert_eq!(asked.await.unwrap(), fits, "{path} {size}");
    }
    // What it replaces makes room for it.
    assert!(matches!(
        keep(&at, id, "a", "2", b"1234567890").await,
        OutputKept::Kept(_)
    ));
    let (event, now) = (at.env.id(), at.env.now());
    let deleted = at
        .store
        .delete_session(at.workspace, id, event, now, |_| Ok::<(), ()>(()));
    deleted.await.unwrap();
    assert_eq!((blobs(&at), known(&at, id).await), (0, Vec::new()));
    assert_eq!(
        keep(&at, id, "a", "3", b"1").await,
        OutputKept::NoSuchSession
    );
    assert_eq!(blobs(&at), 0);
    let next = at.session().await.id;
    assert!(matches!(
        keep(&at, next, "a", "1", b"1234567890").await,
        OutputKept::Kept(_)
    ));
}

#[tokio::test]
async fn what_is_deleted_hidden_or_gone_is_not_listed() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    for path in ["deleted", "gone", "hidden"] {
        assert!(matches!(
            keep(&at, id, path, "1", b"1").await,
            OutputKept::Kept(_)
        ));
    }
    for file in files(&at, id).await {
        if file.filename == "deleted" {
            assert!(at.store.delete_file(at.workspace, file.id).await.unwrap());
        }
    }
    let hidden = at.store.hide_output(id, "hidden".into(), "2".into());
    hidden.await.unwrap();
    let gone = at.store.remove_outputs(id, vec!["gone".into()]);
    gone.await.unwrap();
    assert_eq!((files(&at, id).await, blobs(&at)), (Vec::new(), 0));
    // The paths are known, so that what has not changed doesn't come back.
    let still = [("deleted", "1"), ("hidden", "2")];
    let still = still.map(|(path, print)| (path.to_owned(), Some(print.to_owned())));
    assert_eq!(known(&at, id).await, still);
    at.store.forget_output_fingerprints(id).await.unwrap();
    let forgotten = ["deleted", "hidden"].map(|path| (path.to_owned(), None));
    assert_eq!(known(&at, id).await, forgotten);
}

#[tokio::test]
async fn a_deleted_output_comes_back_when_written_and_not_when_restored() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let OutputKept::Kept(file) = keep(&at, id, "a", "1", b"one").await else {
        panic!("not kept")
    };
    assert!(at.store.delete_file(at.workspace, file).await.unwrap());
    let restored = |print: &str| SeenOutput {
        path: "a".into(),
        fingerprint: print.into(),
        written: OutputWritten::AsBefore,
    };
    let same = keep_seen(&at, id, restored("2"), b"one").await;
    assert_eq!(same, OutputKept::Unchanged);
    assert_eq!((files(&at, id).await, blobs(&at)), (Vec::new(), 0));
    assert_eq!(known(&at, id).await, [("a".into(), Some("2".into()))]);
    let other = keep_seen(&at, id, restored("3"), b"two").await;
    let OutputKept::Kept(file) = other else {
        panic!("{other:?}")
    };
    assert!(at.store.delete_file(at.workspace, file).await.unwrap());
    let again = keep(&at, id, "a", "4", b"two").await;
    assert!(matches!(again, OutputKept::Kept(_)));
}
