//! Files that are mounted into sessions: their copies, their places, and what is left on disk.

use futures::TryStreamExt;
use hostler_protocol::file::FileScope;
use hostler_protocol::id::{FileId, SessionId};
use hostler_protocol::session_resource::{FileResource, SessionResource};
use hostler_store::{
    ChangeError, CreateSession, FileContent, FileCreated, MountRefusal, Mounted, NewFile, NewMount,
    SessionRow, Unmounted,
};

use crate::session_folder::SessionFolder;

async fn upload(at: &SessionFolder, content: &[u8]) -> FileId {
    try_upload(at, content).await.expect("there is room")
}

async fn try_upload(at: &SessionFolder, content: &[u8]) -> Option<FileId> {
    let file = NewFile {
        id: at.env.id(),
        filename: "a.csv".into(),
        mime_type: "text/csv".into(),
        created_at: at.env.now(),
        expires_at: None,
        quota_bytes: 10,
    };
    let id = file.id;
    let mut upload = at.store.begin_upload(id).await.unwrap();
    upload.write(content).await.unwrap();
    let created = at.store.create_file(at.workspace, file, upload).await;
    matches!(created.unwrap(), FileCreated::Created(_)).then_some(id)
}

fn mount(at: &SessionFolder, source: FileId, path: &str) -> NewMount {
    NewMount {
        id: at.env.id(),
        source,
        copy: at.env.id(),
        mount_path: path.parse().unwrap(),
        at: at.env.now(),
    }
}

async fn session_with(at: &SessionFolder, mounts: Vec<NewMount>) -> CreateSession {
    let mut new = at.new_session();
    new.mounts = mounts;
    at.store.create_session(new).await.unwrap()
}

async fn session(at: &SessionFolder, mounts: Vec<NewMount>) -> SessionRow {
    at.create(hostler_store::NewSession {
        mounts,
        ..at.new_session()
    })
    .await
}

fn file(resource: &SessionResource) -> &FileResource {
    match resource {
        SessionResource::File(file) => file,
        SessionResource::Repository(_) => panic!("it is a file"),
    }
}

async fn add(at: &SessionFolder, session: SessionId, mount: NewMount) -> Mounted {
    let decide = |_: &SessionRow| Ok::<(), ()>(());
    let added = at
        .store
        .add_session_resource(at.workspace, session, mount, decide);
    added.await.unwrap()
}

async fn content(at: &SessionFolder, id: FileId) -> Option<Vec<u8>> {
    let content = at.store.file_content(at.workspace, id, at.env.now());
    match content.await.unwrap() {
        FileContent::Content(_, chunks) => {
            let chunks: Vec<_> = chunks.try_collect().await.unwrap();
            Some(chunks.concat())
        }
        FileContent::Expired | FileContent::NoSuchFile => None,
    }
}

fn blobs(at: &SessionFolder) -> usize {
    let folder = at.folder.path().join("blobs/files");
    std::fs::read_dir(folder).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_mount_is_a_copy_of_its_own() {
    let at = SessionFolder::new().await;
    let source = upload(&at, b"12345678").await;
    let row = session(&at, vec![mount(&at, source, "data/a.csv")]).await;
    let [resource] = &row.resources[..] else {
        panic!("{:?}", row.resources)
    };
    let copy = file(resource).file_id;
    assert_ne!(copy, source);
    assert_eq!(
        file(resource).mount_path.to_string(),
        "/mnt/session/uploads/data/a.csv"
    );
    assert_eq!(at.row(row.id).await, row);
    // It neither counts twice nor goes with the one that was named.
    let second = upload(&at, b"90").await;
    assert!(at.store.delete_file(at.workspace, source).await.unwrap());
    assert_eq!(content(&at, copy).await.as_deref(), Some(&b"12345678"[..]));
    let file = at.store.file(at.workspace, copy, at.env.now());
    let file = file.await.unwrap().unwrap();
    assert_eq!(file.scope, Some(FileScope::Session { id: row.id }));
    assert_eq!((file.filename.as_str(), file.size_bytes), ("a.csv", 8));
    let mounts = at.store.session_mounts(row.id).await.unwrap();
    assert_eq!((mounts[0].file_id, mounts[0].size_bytes), (copy, 8));
    assert!(at.store.delete_file(at.workspace, second).await.unwrap());
}

#[tokio::test]
async fn shared_bytes_count_once_until_the_last_file_is_gone() {
    let at = SessionFolder::new().await;
    let source = upload(&at, b"123456").await;
    let one = session(&at, vec![mount(&at, source, "a"), mount(&at, source, "b")]).await;
    let copy = file(&one.resources[0]).file_id;
    // A copy of a copy has the same bytes.
    let other = session(&at, vec![mount(&at, copy, "a")]).await;
    let spare = upload(&at, b"1234").await;
    assert_eq!(try_upload(&at, b"1").await, None);
    let unmounted = at
        .store
        .delete_session_resource(at.workspace, one.id, one.resources[0].id());
    assert_eq!(unmounted.await.unwrap(), Unmounted::Unmounted);
    assert!(at.store.delete_file(at.workspace, source).await.unwrap());
    assert_eq!(try_upload(&at, b"1").await, None, "copies remain");
    let (event, now) = (at.env.id(), at.env.now());
    let deleted = at
        .store
        .delete_session(at.workspace, one.id, event, now, |_| Ok::<(), ()>(()));
    deleted.await.unwrap();
    assert_eq!(try_upload(&at, b"1").await, None, "one copy remains");
    let last = at
        .store
        .delete_session_resource(at.workspace, other.id, other.resources[0].id());
    assert_eq!(last.await.unwrap(), Unmounted::Unmounted);
    assert!(at.store.delete_file(at.workspace, spare).await.unwrap());
    assert_eq!(blobs(&at), 0);
    upload(&at, b"1234567890").await;
}

#[tokio::test]
async fn what_can_not_be_mounted_leaves_nothing() {
    let at = SessionFolder::new().await;
    let source = upload(&at, b"x").await;
    let missing = at.env.id();
    let good = mount(&at, source, "a");
    let refused = session_with(&at, vec![good.clone(), mount(&at, missing, "b")]).await;
    let refusal = MountRefusal::NoSuchFile { position: 1 };
    assert!(matches!(refused, CreateSession::NotMounted(found) if found == refusal));
    assert_eq!(blobs(&at), 1);
    let row = session(&at, vec![good]).await;
    for path in ["a", "a/b"] {
        let refused = add(&at, row.id, mount(&at, source, path)).await;
        let taken = MountRefusal::PathTaken { position: 0 };
        assert_eq!(refused, Mounted::Refused(taken));
    }
    let stranger =
        at.store
            .add_session_resource(at.env.id(), row.id, mount(&at, source, "c"), |_| {
                Ok::<(), ()>(())
            });
    assert!(matches!(stranger.await, Err(ChangeError::NoSuchSession)));
    let unwilling =
        at.store
            .add_session_resource(at.workspace, row.id, mount(&at, source, "c"), |_| Err("no"));
    assert!(matches!(unwilling.await, Err(ChangeError::Refused("no"))));
    assert_eq!(blobs(&at), 2);
    assert_eq!(at.row(row.id).await, row);
}

#[tokio::test]
async fn a_mount_comes_and_goes() {
    let at = SessionFolder::new().await;
    let source = upload(&at, b"x").await;
    let row = at.session().await;
    let still = at.store.mounts_generation();
    let Mounted::Mounted(one) = add(&at, row.id, mount(&at, source, "a")).await else {
        panic!("not mounted")
    };
    at.env.advance(std::time::Duration::from_micros(1));
    let Mounted::Mounted(two) = add(&at, row.id, mount(&at, source, "b")).await else {
        panic!("not mounted")
    };
    let both = [one.clone(), two.clone()].map(SessionResource::File);
    assert_eq!(at.row(row.id).await.resources, both);
    assert_ne!(at.store.mounts_generation(), still);
    let delete = async |resource| {
        let deleted = at
            .store
            .delete_session_resource(at.workspace, row.id, resource);
        deleted.await.unwrap()
    };
    assert_eq!(delete(one.id).await, Unmounted::Unmounted);
    assert_eq!(delete(one.id).await, Unmounted::NoSuchResource);
    // Whoever deletes the copy has taken it out of the session.
    let still = at.store.mounts_generation();
    assert!(
        at.store
            .delete_file(at.workspace, two.file_id)
            .await
            .unwrap()
    );
    assert_eq!(at.row(row.id).await.resources, []);
    assert_ne!(at.store.mounts_generation(), still);
    assert_eq!(blobs(&at), 1);
}

#[tokio::test]
async fn a_deleted_session_takes_its_files_along() {
    let at = SessionFolder::new().await;
    let source = upload(&at, b"1234567890").await;
    let mounts = vec![mount(&at, source, "a"), mount(&at, source, "b")];
    let row = session(&at, mounts).await;
    assert_eq!(blobs(&at), 3);
    let (event, now) = (at.env.id(), at.env.now());
    let deleted = at
        .store
        .delete_session(at.workspace, row.id, event, now, |_| Ok::<(), ()>(()));
    deleted.await.unwrap();
    assert_eq!(blobs(&at), 1);
    assert_eq!(at.store.session_mounts(row.id).await.unwrap(), []);
    assert!(
        content(&at, file(&row.resources[0]).file_id)
            .await
            .is_none()
    );
    assert!(at.store.delete_file(at.workspace, source).await.unwrap());
    upload(&at, b"1234567890").await;
}
