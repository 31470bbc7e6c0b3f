//! Sessions whose sandbox was there before them.

use std::collections::HashSet;

use hostler_protocol::id::SessionId;
use hostler_sandbox::pooled_names;
use hostler_testkit::Reply;
use serde_json::{Value, json};

use super::mounted_files::{mount, upload};
use super::shown::public;
use super::world::World;

const SIZE: usize = 2;

async fn with_a_full_pool() -> World {
    World::with_sandboxes(|host| host.pool = SIZE).await
}

async fn full(world: &World) -> HashSet<u64> {
    while world.sandboxes.pooled() < SIZE {
        tokio::task::yield_now().await;
    }
    let folder = world.folder.path().join("sandboxes");
    let labels = pooled_names(&folder).unwrap();
    let pids = labels
        .iter()
        .map(|label| pid(&folder.join("pool").join(label.as_str())));
    pids.collect()
}

fn pid(directory: &std::path::Path) -> u64 {
    let record = std::fs::read(directory.join("process.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    record["pid"].as_u64().unwrap()
}

fn process_of(world: &World, session: SessionId) -> u64 {
    let boxes = world.folder.path().join("sandboxes/boxes");
    pid(&boxes.join(session.to_string()))
}

#[tokio::test]
async fn a_session_claims_one_and_has_what_is_its_own() {
    let world = with_a_full_pool().await;
    let engine = world.engine().await;
    let pooled = full(&world).await;
    let file = upload(&world, b"1,2\n").await;
    let mounts = vec![mount(&world, file, "workspace/in.csv")];
    let session = world.session_with(mounts).await;
    let command = "cat /workspace/in.csv; ls -A /workspace; hostname; \
                   echo result > /mnt/session/outputs/out.txt; \
                   exec 3<>/dev/tcp/127.0.0.1/3128 && echo way out";
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": command})));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Go.").await;
    let said = public(&world.log_after_turns(session, 1).await);
    let result = said.iter().find_map(|line| line.strip_prefix("gives "));
    assert_eq!(result, Some("1,2\nin.csv\nsandbox\nway out\n"), "{said:?}");
    assert!(pooled.contains(&process_of(&world, session)));
    // Another one takes its place, and all end with the server but that of the session.
    assert_eq!(full(&world).await.len(), SIZE);
    engine.drain().await;
    let folder = world.folder.path().join("sandboxes");
    assert_eq!(pooled_names(&folder).unwrap(), []);
    assert!(world.first_process(session).is_some());
}

#[tokio::test]
async fn an_environment_that_asks_for_more_gets_its_own() {
    let world = with_a_full_pool().await;
    let _engine = world.engine().await;
    let pooled = full(&world).await;
    let file = upload(&world, b"1,2\n").await;
    // A path that only the start of a sandbox can make good.
    let session = world
        .session_with(vec![mount(&world, file, "data/in.csv")])
        .await;
    let command = "cat /data/in.csv";
    world
        .model
        .reply(Reply::tool_use("bash", json!({"command": command})));
    world.model.reply(Reply::text("Done."));
    world.say(session, "Go.").await;
    let said = public(&world.log_after_turns(session, 1).await);
    assert!(said.contains(&"gives 1,2\n".to_owned()), "{said:?}");
    assert!(!pooled.contains(&process_of(&world, session)));
    assert_eq!(full(&world).await, pooled);
}
