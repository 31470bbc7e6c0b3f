//! Sandboxes that become archives while their session rests, and come back with its next command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hostler_protocol::id::SessionId;
use hostler_store::StoreOptions;
use hostler_testkit::Reply;
use serde_json::json;

use super::shown::public;
use super::world::{Running, World};

fn bash(command: &str) -> Reply {
    Reply::tool_use("bash", json!({"command": command}))
}

fn archives(world: &World) -> Vec<PathBuf> {
    match std::fs::read_dir(world.folder.path().join("blobs/checkpoints")) {
        Ok(found) => found.map(|entry| entry.unwrap().path()).collect(),
        Err(_) => Vec::new(),
    }
}

/// A session that rests, whose sandbox is an archive and nothing else.
async fn archived(world: &World) -> (SessionId, Running) {
    world
        .model
        .reply(bash("mkdir d; cd d; echo file > kept; export A=5"));
    world.model.reply(Reply::text("Done."));
    let session = world.session().await;
    let engine = world.engine().await;
    world.say(session, "Work.").await;
    world.log_after_turns(session, 1).await;
    let place = world.workspace(session);
    gone(place.parent().unwrap()).await;
    (session, engine)
}

/// Waits until a directory is moved away or deleted: the kernel says so.
async fn gone(directory: &Path) {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};
    let watch = init(CreateFlags::CLOEXEC).unwrap();
    let flags = WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
    if add_watch(&watch, directory, flags).is_ok() {
        let read = move || rustix::io::read(&watch, &mut [0; 4096]);
        tokio::task::spawn_blocking(read).await.unwrap().unwrap();
    }
    assert!(!directory.exists());
}

async fn look(world: &World, session: SessionId) -> Vec<String> {
    world.model.reply(bash("pwd; cat kept; echo $A"));
    world.model.reply(Reply::text("There."));
    world.say(session, "And now?").await;
    let log = public(&world.log_after_turns(session, 2).await);
    log.into_iter()
        .filter(|line| line.starts_with("gives") || line.starts_with("fails"))
        .collect()
}

#[tokio::test]
async fn one_comes_back_from_the_blob_store_as_it_was() {
    let world = World::new()
        .await
        .with_idle_stop(Duration::from_millis(50))
        .with_checkpoints(true);
    let (session, _engine) = archived(&world).await;
    assert_eq!(archives(&world).len(), 1);
    let results = look(&world, session).await;
    assert_eq!(results[1], "gives /workspace/d\nfile\n5\n");
}

#[tokio::test]
async fn an_archive_that_was_changed_is_not_taken_for_one() {
    let world = World::new()
        .await
        .with_idle_stop(Duration::from_millis(50))
        .with_checkpoints(true);
    let (session, _engine) = archived(&world).await;
    let archive = archives(&world).pop().unwrap();
    let mut bytes = std::fs::read(&archive).unwrap();
    // Behind the end of the archive, where only the sum of all bytes shows it.
    bytes.extend(b"more");
    std::fs::write(&archive, bytes).unwrap();
    let results = look(&world, session).await;
    assert!(
        results[1].starts_with("fails The sandbox can't be started")
            && results[1].contains("its sum is wrong"),
        "{results:?}"
    );
}

#[tokio::test]
async fn what_nobody_knows_is_deleted_and_what_somebody_knows_is_not() {
    let world = World::new()
        .await
        .with_idle_stop(Duration::from_millis(50))
        .with_checkpoints(true);
    let (session, _engine) = archived(&world).await;
    // As a crash between the blob and its row leaves it.
    let mut upload = world.store.begin_checkpoint(world.env.id()).await.unwrap();
    upload.write(b"half").await.unwrap();
    let orphan = world.folder.path().join("blobs/checkpoints/orphan");
    std::fs::write(&orphan, "whole").unwrap();
    assert_eq!(world.store.sweep_orphans(world.env.now()).await.unwrap(), 1);
    assert!(!orphan.exists());
    let kept = world.store.checkpoint(session).await.unwrap().unwrap();
    let place = format!("blobs/checkpoints/{}", kept.id);
    assert!(world.folder.path().join(place).is_file());
}

#[tokio::test]
async fn an_archive_that_was_kept_long_enough_goes_and_the_model_is_told() {
    let world = World::new()
        .await
        .with_idle_stop(Duration::from_millis(50))
        .with_checkpoints(true);
    let (session, engine) = archived(&world).await;
    engine.drain().await;
    let archive = archives(&world).pop().unwrap();
    let mut world = world.with_keep(Duration::ZERO);
    world.reopen(StoreOptions::default());
    let _engine = world.engine().await;
    // Nobody asks for it, and it goes.
    gone(&archive).await;
    let results = look(&world, session).await;
    assert!(results[1].contains("No such file"), "{results:?}");
    assert!(
        results[1].contains("a new one has taken its place"),
        "{results:?}"
    );
}

#[tokio::test]
async fn an_archive_that_is_too_old_when_it_is_needed_is_not_taken() {
    let world = World::new()
        .await
        .with_idle_stop(Duration::from_millis(50))
        .with_checkpoints(true);
    let (session, engine) = archived(&world).await;
    engine.drain().await;
    let mut world = world.with_keep(Duration::ZERO);
    world.reopen(StoreOptions::default());
    world.model.reply(bash("ls; echo A=$A; pwd"));
    world.model.reply(Reply::text("There."));
    // Before there is a sweep: the runner has the sandbox first.
    world.say(session, "And now?").await;
    let _engine = world.engine().await;
    let log = public(&world.log_after_turns(session, 2).await);
    let told = log.iter().rfind(|line| line.starts_with("gives")).unwrap();
    let told = told.strip_prefix("gives A=\n/workspace\n");
    assert!(
        told.is_some_and(|note| note.contains("a new one has taken its place")),
        "{log:?}"
    );
}
