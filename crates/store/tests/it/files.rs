//! Files: bytes in and out, quota, expiry, and what is left on disk.

use std::time::Duration;

use futures::TryStreamExt;
use hostler_protocol::Timestamp;
use hostler_protocol::file::FileMetadata;
use hostler_protocol::id::FileId;
use hostler_store::{FileContent, FileCreated, NewFile, PageRange, StoreOptions};
use hostler_testkit::open_store;

use crate::store_folder::{StoreFolder, first};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn new_file(at: &StoreFolder, expires_at: Option<Timestamp>) -> NewFile {
    NewFile {
        id: at.env.id(),
        filename: "a.txt".into(),
        mime_type: "text/plain".into(),
        created_at: at.env.now(),
        expires_at,
        quota_bytes: 10_000_000,
    }
}

async fn upload(at: &StoreFolder, file: NewFile, chunks: &[&[u8]]) -> FileCreated {
    let mut upload = at.store.begin_upload(file.id).await.unwrap();
    for chunk in chunks {
        upload.write(chunk).await.unwrap();
    }
    let created = at.store.create_file(at.workspace, file, upload);
    created.await.unwrap()
}

async fn created(at: &StoreFolder, file: NewFile, chunks: &[&[u8]]) -> FileMetadata {
    match upload(at, file, chunks).await {
        FileCreated::Created(file) => file,
        FileCreated::QuotaExceeded => panic!("over quota"),
    }
}

async fn content(at: &StoreFolder, id: FileId) -> Result<Vec<u8>, &'static str> {
    let content = at.store.file_content(at.workspace, id, at.env.now());
    match content.await.unwrap() {
        FileContent::Content(_, chunks) => {
            let chunks: Vec<_> = chunks.try_collect().await.unwrap();
            Ok(chunks.concat())
        }
        FileContent::Expired => Err("expired"),
        FileContent::NoSuchFile => Err("no such file"),
    }
}

fn blobs_on_disk(at: &StoreFolder) -> usize {
    let folder = at.folder.path().join("blobs/files");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn bytes_come_back_as_they_went_in() {
    let at = StoreFolder::new();
    let big = vec![7_u8; 9 * 1024 * 1024];
    let file = created(&at, new_file(&at, None), &[b"start", &big]).await;
    assert_eq!(file.size_bytes, 5 + big.len() as u64);
    assert!(!file.downloadable);
    assert_eq!(
        content(&at, file.id).await.unwrap(),
        [b"start", &big[..]].concat()
    );
    let empty = created(&at, new_file(&at, None), &[]).await;
    assert_eq!(content(&at, empty.id).await, Ok(Vec::new()));
    let read = at.store.file(at.workspace, file.id, at.env.now());
    assert_eq!(read.await.unwrap(), Some(file.clone()));
    let stranger = at.store.file(at.env.id(), file.id, at.env.now());
    assert_eq!(stranger.await.unwrap(), None);
}

#[tokio::test]
async fn a_deleted_file_leaves_nothing() {
    let at = StoreFolder::new();
    let file = created(&at, new_file(&at, None), &[b"x"]).await;
    let stranger = at.env.id();
    assert!(!at.store.delete_file(stranger, file.id).await.unwrap());
    assert!(at.store.delete_file(at.workspace, file.id).await.unwrap());
    assert!(!at.store.delete_file(at.workspace, file.id).await.unwrap());
    assert_eq!(content(&at, file.id).await, Err("no such file"));
    assert_eq!(blobs_on_disk(&at), 0);
}

#[tokio::test]
async fn the_quota_counts_what_is_stored_and_refuses_the_rest() {
    let at = StoreFolder::new();
    let small = |at: &StoreFolder| NewFile {
        quota_bytes: 10,
        ..new_file(at, None)
    };
    let file = created(&at, small(&at), &[b"123456"]).await;
    assert_eq!(
        upload(&at, small(&at), &[b"12345"]).await,
        FileCreated::QuotaExceeded
    );
    assert_eq!(blobs_on_disk(&at), 1);
    created(&at, small(&at), &[b"1234"]).await;
    assert!(at.store.delete_file(at.workspace, file.id).await.unwrap());
    created(&at, small(&at), &[b"12345"]).await;
}

#[tokio::test]
async fn an_expired_file_is_shown_for_a_while_without_its_bytes() {
    let at = StoreFolder::new();
    let expires_at = at.env.now().plus(DAY);
    let file = created(&at, new_file(&at, Some(expires_at)), &[b"x"]).await;
    assert_eq!(content(&at, file.id).await.unwrap(), b"x");
    at.env.advance(DAY);
    assert_eq!(content(&at, file.id).await, Err("expired"));
    let list = || at.store.files(at.workspace, None, at.env.now(), first(9));
    assert_eq!(list().await.unwrap(), std::slice::from_ref(&file));
    assert_eq!(
        at.store.delete_expired_files(at.env.now()).await.unwrap(),
        0
    );
    at.env.advance(30 * DAY);
    assert_eq!(list().await.unwrap(), []);
    assert_eq!(content(&at, file.id).await, Err("no such file"));
    assert_eq!(
        at.store.delete_expired_files(at.env.now()).await.unwrap(),
        1
    );
    assert_eq!(blobs_on_disk(&at), 0);
}

#[tokio::test]
async fn lists_go_by_key_and_by_id() {
    let at = StoreFolder::new();
    let mut files = Vec::new();
    for _ in 0..3 {
        files.push(created(&at, new_file(&at, None), &[b"x"]).await);
        at.env.advance(Duration::from_secs(1));
    }
    files.reverse();
    let now = at.env.now();
    let list = |scope, range| at.store.files(at.workspace, scope, now, range);
    assert_eq!(list(None, first(2)).await.unwrap(), files[..2]);
    let after = PageRange {
        after: Some((files[1].created_at.as_micros(), files[1].id.to_string())),
        limit: 2,
    };
    assert_eq!(list(None, after).await.unwrap(), files[2..]);
    assert_eq!(list(Some(at.env.id()), first(9)).await.unwrap(), []);
    let wanted = vec![files[2].id, at.env.id(), files[0].id];
    let by_id = at
        .store
        .files_by_id(at.workspace, wanted, now)
        .await
        .unwrap();
    assert_eq!(by_id, [files[0].clone(), files[2].clone()]);
}

#[tokio::test]
async fn a_start_sweeps_what_uploads_have_left() {
    let at = StoreFolder::new();
    let file = created(&at, new_file(&at, None), &[b"x"]).await;
    let orphan: FileId = at.env.id();
    let unfinished: FileId = at.env.id();
    let blobs = at.folder.path().join("blobs/files");
    std::fs::write(blobs.join(orphan.to_string()), "x").unwrap();
    std::fs::write(blobs.join(format!("{unfinished}#1")), "x").unwrap();
    let reopened = open_store(at.folder.path(), StoreOptions::default());
    assert_eq!(
        blobs_on_disk(&at),
        3,
        "opening alone harms no upload of a running server"
    );
    assert_eq!(reopened.sweep_orphans(at.env.now()).await.unwrap(), 1);
    assert_eq!(blobs_on_disk(&at), 1);
    assert_eq!(content(&at, file.id).await.unwrap(), b"x");
}
