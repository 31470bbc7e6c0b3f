//! Sessions that go on on another machine, which has the same database and blob store and nothing
//! else of the first.

use std::path::Path;
use std::time::Duration;

use hostler_engine::RootOptions;
use hostler_image::ImageStore;
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::StoreOptions;
use hostler_testkit::Reply;
use serde_json::json;

use super::little_packages::wheel;
use super::little_root;
use super::packages::LOCAL_WHEEL;
use super::shown::public;
use super::world::World;

/// An engine runs one command in the session, and the archive that the sandbox becomes is there.
async fn turn(world: &mut World, session: SessionId, number: usize, command: &str) -> String {
    let before = world.store.checkpoint(session).await.unwrap();
    let engine = world.engine().await;
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": command})));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Work.").await;
    let log = public(&world.log_after_turns(session, number).await);
    world
        .archived(session, before.map(|before| before.id))
        .await;
    engine.drain().await;
    world.reopen(StoreOptions::default());
    let told = log
        .iter()
        .rfind(|line| line.starts_with("gives") || line.starts_with("fails"));
    told.unwrap().clone()
}

async fn world() -> World {
    World::new()
        .await
        .with_idle_stop(Duration::from_millis(50))
        .with_checkpoints(false)
}

fn with_greeting(world: &mut World) {
    let sources = world.folder.path().join("wheels");
    wheel(&sources, "1.0");
    world.packages.sources = Some(sources);
    world.environment = json!({"name": "greeting", "config": {
        "type": "cloud", "packages": {"pip": [LOCAL_WHEEL]},
    }});
}

const MAKE: &str = "mkdir d; cd d; echo first > kept; echo mine > ~/own; export A='5 6'";
const LOOK: &str = "pwd; cat kept ~/own; env | grep ^A=; tiny";

#[tokio::test]
async fn a_session_goes_on_elsewhere_with_all_that_it_had_and_comes_back() {
    let mut world = world().await;
    with_greeting(&mut world);
    let session = world.session().await;
    turn(&mut world, session, 1, MAKE).await;
    let here = world.on_another_host().await;
    let all = "gives /workspace/d\nfirst\nmine\nA=5 6\npip 1.0\n";
    let changes = format!("{LOOK}; echo second > kept; export A=7");
    assert_eq!(turn(&mut world, session, 2, &changes).await, all);
    // The first machine has files of the session still: they are not taken for its newest.
    world.on_the_first_host(here);
    let all = "gives /workspace/d\nsecond\nmine\nA=7\npip 1.0\n";
    assert_eq!(turn(&mut world, session, 3, LOOK).await, all);
}

fn with_little_root(world: &mut World) {
    let folder = world.folder.path().join("little");
    if !folder.exists() {
        little_root::write(&folder, &["bash", "cat", "ls", "env"]);
    }
    let images = ImageStore::open(&world.folder.path().join("images")).unwrap();
    let root = format!("dir:{}", folder.display());
    world.roots = RootOptions {
        images: Some(images),
        default: root.parse().unwrap(),
        ..RootOptions::default()
    };
}

#[tokio::test]
async fn what_was_written_over_a_root_goes_over_the_same_root_elsewhere() {
    let mut world = world().await;
    with_little_root(&mut world);
    let session = world.session().await;
    turn(&mut world, session, 1, "echo mine > /usr/own; cd /usr").await;
    world.on_another_host().await;
    with_little_root(&mut world);
    let told = turn(&mut world, session, 2, "cat own; cat /etc/os-release").await;
    assert_eq!(told, "gives mine\nID=little\n");
}

#[tokio::test]
async fn what_was_written_over_a_root_goes_over_no_other() {
    let mut world = world().await;
    with_little_root(&mut world);
    let session = world.session().await;
    turn(&mut world, session, 1, "echo mine > /usr/own").await;
    world.on_another_host().await;
    // The same name for something else.
    let changed = world.folder.path().join("little/etc/os-release");
    std::fs::write(changed, "ID=other\n").unwrap();
    with_little_root(&mut world);
    let told = refused(&world, session).await;
    let words = "does not exist (any more), and what its environment asks for is another one here";
    assert!(told.starts_with("fails") && told.contains(words), "{told}");
}

async fn refused(world: &World, session: SessionId) -> String {
    let _engine = world.engine().await;
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": "true"})));
    world.model.reply(Reply::text("I can't."));
    world.say(session, "Work.").await;
    let log = public(&world.log_after_turns(session, 2).await);
    let told = log
        .iter()
        .rfind(|line| line.starts_with("gives") || line.starts_with("fails"));
    told.unwrap().clone()
}

/// The blobs of archives that are there.
fn blobs(folder: &Path) -> Vec<String> {
    let found = std::fs::read_dir(folder.join("blobs/checkpoints")).unwrap();
    found
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn an_archive_takes_the_place_of_the_one_before_it_and_of_no_other() {
    let mut world = world().await;
    let session = world.session().await;
    turn(&mut world, session, 1, "echo first > kept").await;
    let newer = another_archive(&world, session).await;
    // This machine's files are those of the archive before: they must not replace the newer one.
    let _engine = world.engine().await;
    world.model.reply(Reply::text("Nothing to do."));
    world.say(session, "Rest.").await;
    world.log_after_turns(session, 2).await;
    let name = session.to_string().parse().unwrap();
    let kept = world.store.checkpoint(session).await.unwrap().unwrap();
    assert_eq!(kept.id, newer);
    assert_eq!(blobs(world.folder.path()), [newer.to_string()]);
    assert!(world.sandboxes.has_files(&name).await);
}

/// As another server would keep it.
async fn another_archive(world: &World, session: SessionId) -> EventId {
    use hostler_store::{CheckpointCommit, NewCheckpoint};
    let before = world.store.checkpoint(session).await.unwrap().unwrap();
    let commit = async |follows| {
        let id: EventId = world.env.id();
        let mut upload = world.store.begin_checkpoint(id).await.unwrap();
        upload.write(b"bytes").await.unwrap();
        let new = NewCheckpoint {
            session,
            id,
            follows,
            format: before.format,
            made_at: before.made_at,
            created_at: world.env.now(),
        };
        let committed = world.store.commit_checkpoint(new, upload).await.unwrap();
        (id, committed)
    };
    let (newer, kept) = commit(Some(before.id)).await;
    assert_eq!(kept, CheckpointCommit::Kept);
    // Whoever is late, with the archive before or with none in mind, has lost.
    for late in [Some(before.id), None] {
        assert_eq!(commit(late).await.1, CheckpointCommit::Superseded);
    }
    newer
}
