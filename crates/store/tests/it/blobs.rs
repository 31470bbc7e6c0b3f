//! What holds of the bytes of files wherever they are kept: in a folder and in a bucket.

use std::time::Duration;

use futures::TryStreamExt;
use hostler_protocol::id::FileId;
use hostler_store::{BucketOptions, FileContent, FileCreated, NewFile, Store, StoreError};
use hostler_testkit::bucket::{new_bucket, put, request};

use crate::store_folder::StoreFolder;

const MIB: usize = 1024 * 1024;

/// A store, and where its blobs are.
pub(crate) struct Place {
    pub(crate) at: StoreFolder,
    pub(crate) bucket: Option<BucketOptions>,
}

/// Each kind of place that this run has.
pub(crate) fn places() -> Vec<Place> {
    let at = StoreFolder::new();
    let folder = Place { at, bucket: None };
    [folder].into_iter().chain(in_bucket()).collect()
}

pub(crate) fn in_bucket() -> Option<Place> {
    let bucket = new_bucket()?;
    let mut at = StoreFolder::new();
    let records = at.folder.path().join("uploads");
    at.store = at.store.in_bucket(&bucket, &records).unwrap();
    let bucket = Some(bucket);
    Some(Place { at, bucket })
}

impl Place {
    /// As after a crash.
    pub(crate) fn reopened(&self) -> Store {
        let folder = self.at.folder.path();
        let store = hostler_testkit::open_store(folder, hostler_store::StoreOptions::default());
        match &self.bucket {
            Some(bucket) => store.in_bucket(bucket, &folder.join("uploads")).unwrap(),
            None => store,
        }
    }

    fn new_file(&self) -> NewFile {
        NewFile {
            id: self.at.env.id(),
            filename: "a.bin".into(),
            mime_type: "application/octet-stream".into(),
            created_at: self.at.env.now(),
            expires_at: None,
            quota_bytes: u64::MAX,
        }
    }

    pub(crate) async fn keep(&self, bytes: &[u8]) -> FileId {
        let file = self.new_file();
        let id = file.id;
        let mut upload = self.at.store.begin_upload(id).await.unwrap();
        for chunk in bytes.chunks(777_777) {
            upload.write(chunk).await.unwrap();
        }
        let created = self.at.store.create_file(self.at.workspace, file, upload);
        assert!(matches!(created.await, Ok(FileCreated::Created(_))));
        id
    }

    pub(crate) async fn read(&self, id: FileId) -> Result<Vec<u8>, StoreError> {
        let (store, now) = (&self.at.store, self.at.env.now());
        match store.file_content(self.at.workspace, id, now).await? {
            FileContent::Content(_, chunks) => {
                let chunks: Vec<_> = chunks.try_collect().await?;
                Ok(chunks.concat())
            }
            FileContent::Expired | FileContent::NoSuchFile => panic!("there is no such file"),
        }
    }

    /// Names of what shows, and numbers of uploads that were begun.
    pub(crate) fn there(&self) -> (Vec<String>, usize) {
        let Some(bucket) = &self.bucket else {
            let folder = self.at.folder.path().join("blobs/files");
            let found = std::fs::read_dir(folder).into_iter().flatten();
            let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            return (names.collect(), 0);
        };
        let (server, name) = (bucket.endpoint.as_ref().unwrap(), bucket_name(bucket));
        let listed = request(server, "GET", &format!("/{name}?list-type=2"));
        let keys = listed.split("<Key>").skip(1);
        let keys = keys.map(|key| key.split('<').next().unwrap());
        let names = keys.map(|key| key.rsplit('/').next().unwrap().to_owned());
        let begun = request(server, "GET", &format!("/{name}?uploads"));
        (names.collect(), begun.matches("<UploadId>").count())
    }

    /// Somebody changes the last byte where it lies.
    pub(crate) async fn spoil(&self, id: FileId) {
        let mut bytes = self.read(id).await.unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        self.plant(id, &bytes);
    }

    /// Past the store.
    fn plant(&self, id: FileId, bytes: &[u8]) {
        match &self.bucket {
            None => {
                let file = self.at.folder.path().join(format!("blobs/files/{id}"));
                std::fs::write(file, bytes).unwrap();
            }
            Some(bucket) => {
                let path = format!("/{}/some/prefix/files/{id}", bucket_name(bucket));
                let server = bucket.endpoint.as_ref().unwrap();
                let put = put(server, &path, bytes);
                assert!(put.starts_with("HTTP/1.1 200"), "{put}");
            }
        }
    }
}

pub(crate) fn bucket_name(bucket: &BucketOptions) -> String {
    let address = bucket.address.to_string();
    let rest = address.strip_prefix("s3://").unwrap();
    rest.split('/').next().unwrap().to_owned()
}

/// No part is like the one before.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 4096);
    for block in 0..length.div_ceil(4096) {
        bytes.extend_from_slice(&[(block % 251) as u8; 4096]);
    }
    bytes.truncate(length);
    bytes
}

#[tokio::test]
async fn bytes_come_back_as_they_were_whatever_their_number() {
    for place in places() {
        for length in [0, 1, 4 * MIB, 8 * MIB, 8 * MIB + 1, 21 * MIB + 5] {
            let given = bytes(length);
            let id = place.keep(&given).await;
            assert!(place.read(id).await.unwrap() == given, "{length} bytes");
        }
        let (names, begun) = place.there();
        assert_eq!((names.len(), begun), (6, 0));
    }
}

#[tokio::test]
async fn an_upload_shows_when_it_is_whole_and_one_that_is_dropped_never() {
    for place in places() {
        let store = &place.at.store;
        let mut upload = store.begin_upload(place.at.env.id()).await.unwrap();
        upload.write(&bytes(20 * MIB)).await.unwrap();
        let names = |there: (Vec<String>, usize)| {
            let whole = there.0.into_iter().filter(|name| !name.contains('#'));
            whole.count()
        };
        assert_eq!(names(place.there()), 0);
        // One that is under way is left alone.
        store.end_dropped_uploads().await.unwrap();
        upload.write(&bytes(20 * MIB)).await.unwrap();
        drop(upload);
        store.end_dropped_uploads().await.unwrap();
        // A part that is being written to a folder is written first.
        while place.there() != (Vec::new(), 0) {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_a_crash_leaves_of_an_upload_is_gone_after_the_next_start() {
    for place in places() {
        let mut upload = place
            .at
            .store
            .begin_upload(place.at.env.id())
            .await
            .unwrap();
        upload.write(&bytes(20 * MIB)).await.unwrap();
        std::mem::forget(upload);
        let now = hostler_domain::Env::system().now();
        place.reopened().sweep_orphans(now).await.unwrap();
        assert_eq!(place.there(), (Vec::new(), 0));
    }
}

#[tokio::test]
async fn bytes_that_were_changed_are_not_given_out_as_if_they_were_not() {
    for place in places() {
        let id = place.keep(&bytes(100_000)).await;
        place.spoil(id).await;
        let error = place.read(id).await.unwrap_err();
        let StoreError::Blob(cause) = error else {
            panic!("{error}")
        };
        assert!(cause.to_string().contains("changed"), "{cause}");
    }
}

#[tokio::test]
async fn a_deleted_file_has_no_bytes_and_the_others_have() {
    for place in places() {
        let (gone, stays) = (place.keep(b"one").await, place.keep(b"two").await);
        let (store, workspace) = (&place.at.store, place.at.workspace);
        assert!(store.delete_file(workspace, gone).await.unwrap());
        assert!(!store.delete_file(workspace, gone).await.unwrap());
        assert_eq!(place.there().0, [stays.to_string()]);
        assert_eq!(place.read(stays).await.unwrap(), b"two");
    }
}

#[tokio::test]
async fn a_blob_without_a_row_is_deleted_when_nobody_can_want_it_any_more() {
    for place in places() {
        let stays = place.keep(b"with a row").await;
        place.plant(place.at.env.id(), b"without");
        let now = hostler_domain::Env::system().now();
        let store = place.reopened();
        let at_once = store.sweep_orphans(now).await.unwrap();
        assert_eq!(at_once, usize::from(place.bucket.is_none()));
        let later = now.plus(Duration::from_secs(25 * 60 * 60));
        assert_eq!(store.sweep_orphans(later).await.unwrap(), 1 - at_once);
        assert_eq!(place.there().0, [stays.to_string()]);
    }
}
