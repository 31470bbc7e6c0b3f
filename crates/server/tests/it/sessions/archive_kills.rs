//! `kill -9` between any two steps of keeping a sandbox as an archive, letting its files go,
//! bringing it back and letting it expire: what the next server finds is as each step leaves it.
//!
//! The steps are listed in order, and each is made by the very functions of the store and the host
//! that the engine calls, so that nothing depends on when a process happens to die.

use std::time::{Duration, SystemTime};

use hostler_protocol::id::{EventId, SessionId};
use hostler_sandbox::{Checkpoint, SandboxName};
use hostler_store::{BlobUpload, NewCheckpoint, StoreOptions};
use hostler_testkit::Reply;
use serde_json::json;

use super::shown::public;
use super::world::World;

/// The last step that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    UploadBegun,
    /// With its mark on the files.
    Packed,
    Committed,
    ThrownAway,
    Deleted,
}

const KEPT: [Kept; 5] = [
    Kept::UploadBegun,
    Kept::Packed,
    Kept::Committed,
    Kept::ThrownAway,
    Kept::Deleted,
];

fn name(session: SessionId) -> SandboxName {
    session.to_string().parse().unwrap()
}

/// A session that has a file and rests.
async fn rested() -> (World, SessionId) {
    let mut world = World::new().await;
    let session = world.session().await;
    let engine = world.engine().await;
    let make = "mkdir d; cd d; echo file > kept; export A=5";
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": make})));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    world.log_after_turns(session, 1).await;
    engine.drain().await;
    world.sandboxes.stop(&name(session)).await.unwrap();
    world.reopen(StoreOptions::default());
    (world, session)
}

/// Writes through to the blob store, as the archive is packed.
struct Bytes(std::sync::mpsc::Sender<Vec<u8>>);

impl std::io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(bytes.to_vec()).unwrap();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn pack(world: &World, session: SessionId, id: EventId) -> BlobUpload {
    let mut upload = world.store.begin_checkpoint(id).await.unwrap();
    let (sender, bytes) = std::sync::mpsc::channel();
    let (name, mark) = (name(session), id.to_string());
    let packing = world
        .sandboxes
        .checkpoint(&name, &mark, None, Bytes(sender));
    assert!(matches!(packing.await, Ok(Checkpoint::Packed { .. })));
    for chunk in bytes {
        upload.write(&chunk).await.unwrap();
    }
    upload
}

async fn keep_until(world: &World, session: SessionId, last: Kept) {
    let id: EventId = world.env.id();
    if last == Kept::UploadBegun {
        let mut upload = world.store.begin_checkpoint(id).await.unwrap();
        // A death writes no end of it.
        upload.write(b"half").await.unwrap();
        std::mem::forget(upload);
        return;
    }
    let upload = pack(world, session, id).await;
    if last == Kept::Packed {
        return std::mem::forget(upload);
    }
    let new = NewCheckpoint {
        session,
        id,
        follows: None,
        format: 1,
        made_at: world.env.now(),
        created_at: world.env.now(),
    };
    world.store.commit_checkpoint(new, upload).await.unwrap();
    if last >= Kept::ThrownAway {
        let evicted = world.sandboxes.evict(&name(session), &id.to_string()).await;
        assert!(evicted.unwrap());
    }
    if last >= Kept::Deleted {
        world.sandboxes.empty_trash().await.unwrap();
    }
}

/// The next server, whose sweeps go on, hears of the session at once.
async fn look(world: &mut World, session: SessionId) -> String {
    world.store.sweep_orphans(world.env.now()).await.unwrap();
    let _engine = world.engine().await;
    let look = json!({"command": "pwd; cat kept; echo $A"});
    world.model.reply(Reply::tool_use("bash", look));
    world.model.reply(Reply::text("There."));
    world.say(session, "And now?").await;
    let log = public(&world.log_after_turns(session, 2).await);
    let told = log
        .iter()
        .rfind(|line| line.starts_with("gives") || line.starts_with("fails"));
    told.unwrap().clone()
}

const ALL: &str = "gives /workspace/d\nfile\n5\n";

#[tokio::test]
async fn a_kill_while_a_sandbox_becomes_an_archive_loses_nothing() {
    for last in KEPT {
        let (mut world, session) = rested().await;
        keep_until(&world, session, last).await;
        world = world
            .with_idle_stop(Duration::from_millis(50))
            .with_checkpoints(true);
        world.reopen(StoreOptions::default());
        assert_eq!(look(&mut world, session).await, ALL, "after {last:?}");
    }
}

/// The last step that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brought {
    /// Some of its files are unpacked, and nobody finds them.
    Unpacking,
    /// All of them are in their place.
    Published,
    /// Its processes were started, and ended with the server's machine.
    Started,
}

#[tokio::test]
async fn a_kill_while_a_sandbox_comes_back_loses_nothing() {
    for last in [Brought::Unpacking, Brought::Published, Brought::Started] {
        let (mut world, session) = rested().await;
        keep_until(&world, session, Kept::Deleted).await;
        let found = world.store.checkpoint(session).await.unwrap().unwrap();
        let blob = world
            .folder
            .path()
            .join(format!("blobs/checkpoints/{}", found.id));
        let mut bytes = std::fs::read(blob).unwrap();
        if last == Brought::Unpacking {
            bytes.truncate(bytes.len() / 2);
        }
        let mark = found.id.to_string();
        let bytes = std::io::Cursor::new(bytes);
        let restored = world
            .sandboxes
            .restore(&name(session), &mark, SystemTime::UNIX_EPOCH, bytes)
            .await;
        assert_eq!(restored.is_ok(), last != Brought::Unpacking);
        if last == Brought::Started {
            world.open_sandbox(session).await;
            world.sandboxes.stop(&name(session)).await.unwrap();
        }
        world = world
            .with_idle_stop(Duration::from_millis(50))
            .with_checkpoints(true);
        world.reopen(StoreOptions::default());
        assert_eq!(look(&mut world, session).await, ALL, "after {last:?}");
    }
}

/// The last step that was done, in the order of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Expired {
    RowDeleted,
    ThrownAway,
    Begun,
}

#[tokio::test]
async fn a_kill_while_a_sandbox_expires_leaves_it_whole_or_gone_and_no_archive() {
    for last in [Expired::RowDeleted, Expired::ThrownAway, Expired::Begun] {
        let (mut world, session) = rested().await;
        keep_until(&world, session, Kept::Committed).await;
        world.store.delete_checkpoint(session).await.unwrap();
        if last >= Expired::ThrownAway {
            world.sandboxes.throw_away(&name(session)).await.unwrap();
        }
        if last >= Expired::Begun {
            world.sandboxes.begin_expired(&name(session)).await.unwrap();
        }
        world.reopen(StoreOptions::default());
        // The blob went with its row.
        let swept = world.store.sweep_orphans(world.env.now()).await;
        assert_eq!(swept.unwrap(), 0);
        let told = look(&mut world, session).await;
        match last {
            Expired::RowDeleted => assert_eq!(told, ALL),
            Expired::ThrownAway => assert!(told.contains("No such file"), "{told}"),
            Expired::Begun => assert!(told.contains("a new one has taken its place"), "{told}"),
        }
    }
}
