//! Files that are mounted into a session, as its tools find them.

use hostler_protocol::id::{FileId, ResourceId, SessionId};
use hostler_store::{FileCreated, Mounted, NewFile, NewMount, SessionRow, StoreOptions, Unmounted};
use hostler_testkit::Reply;
use serde_json::json;

use super::shown::public;
use super::world::World;

pub(super) async fn upload(world: &World, content: &[u8]) -> FileId {
    let file = NewFile {
        id: world.env.id(),
        filename: "data.csv".into(),
        mime_type: "text/csv".into(),
        created_at: world.env.now(),
        expires_at: None,
        quota_bytes: u64::MAX,
    };
    let id = file.id;
    let mut upload = world.store.begin_upload(id).await.unwrap();
    upload.write(content).await.unwrap();
    let created = world.store.create_file(world.workspace, file, upload);
    assert!(matches!(created.await.unwrap(), FileCreated::Created(_)));
    id
}

pub(super) fn mount(world: &World, source: FileId, path: &str) -> NewMount {
    NewMount {
        id: world.env.id(),
        source,
        copy: world.env.id(),
        mount_path: path.parse().unwrap(),
        at: world.env.now(),
    }
}

async fn add(world: &World, session: SessionId, mount: NewMount) -> ResourceId {
    let may = |_: &SessionRow| Ok::<(), ()>(());
    let added = world
        .store
        .add_session_resource(world.workspace, session, mount, may);
    match added.await.unwrap() {
        Mounted::Mounted(resource) => resource.id,
        Mounted::Refused(refusal) => panic!("{refusal:?}"),
    }
}

/// What a command prints in the session's sandbox, in a turn of its own.
async fn sh(world: &World, session: SessionId, turn: usize, command: &str) -> String {
    let call = Reply::new().and_tool_use("bash", json!({"command": command}));
    world.model.reply(call);
    world.model.reply(Reply::text("Done."));
    world.say(session, "Go.").await;
    let log = world.log_after_turns(session, turn).await;
    let said = public(&log);
    let result = said.iter().rev().find_map(|words| {
        let failed = words.strip_prefix("fails ");
        words.strip_prefix("gives ").or(failed)
    });
    result.unwrap().to_owned()
}

#[tokio::test]
async fn mounted_files_are_there_before_the_first_tool_runs() {
    let world = World::new().await;
    let big = vec![b'x'; 9 << 20];
    let (small, big) = (upload(&world, b"1,2\n").await, upload(&world, &big).await);
    let session = world
        .session_with(vec![
            mount(&world, small, "data/in.csv"),
            mount(&world, big, "mnt/user-data/uploads/big.bin"),
            mount(&world, small, "etc/passwd"),
            mount(&world, small, "workspace/here.csv"),
        ])
        .await;
    let _engine = world.engine().await;
    let command = "cd /mnt/session/uploads && cat data/in.csv /data/in.csv /workspace/here.csv && \
        wc -c < /mnt/user-data/uploads/big.bin && grep -c , /etc/passwd; echo x > data/in.csv";
    let said = sh(&world, session, 1, command).await;
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines[..5], ["1,2", "1,2", "1,2", "9437184", "0"], "{said}");
    assert!(lines[5].ends_with("Read-only file system"), "{said}");
}

#[tokio::test]
async fn mounts_change_between_two_tool_calls() {
    let mut world = World::new().await;
    let file = upload(&world, b"one\n").await;
    let session = world
        .session_with(vec![mount(&world, file, "in/one")])
        .await;
    let engine = world.engine().await;
    let list = "cd /mnt/session/uploads && find . -type f | sort | xargs";
    assert_eq!(sh(&world, session, 1, list).await, "./in/one\n");
    let two = add(&world, session, mount(&world, file, "in/two")).await;
    add(&world, session, mount(&world, file, "three")).await;
    assert_eq!(
        sh(&world, session, 2, list).await,
        "./in/one ./in/two ./three\n"
    );
    // Another server finds the sandbox, and what was taken away meanwhile goes.
    engine.drain().await;
    world.reopen(StoreOptions::default());
    let gone = world
        .store
        .delete_session_resource(world.workspace, session, two);
    assert_eq!(gone.await.unwrap(), Unmounted::Unmounted);
    let _engine = world.engine().await;
    assert_eq!(sh(&world, session, 3, list).await, "./in/one ./three\n");
}
