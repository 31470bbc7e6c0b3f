//! Environments: updates, archival, deletion, lists.

use std::time::Duration;

use hostler_protocol::decode::At;
use hostler_protocol::environment::{CreateEnvironment, Environment, UpdateEnvironment};
use hostler_protocol::id::EnvironmentId;
use hostler_store::{Archived, EnvironmentDeleted, EnvironmentUpdated, PageRange};
use serde_json::{Value, json};

use crate::store_folder::{StoreFolder, first};

async fn create(at: &StoreFolder, body: Value) -> Environment {
    let create = CreateEnvironment::decode(At::root(&body)).unwrap();
    let fields = create.resolve().unwrap();
    let environment = Environment::new(at.env.id(), fields, at.env.now());
    let created = at.store.create_environment(at.workspace, environment);
    created.await.unwrap()
}

async fn update(at: &StoreFolder, id: EnvironmentId, body: Value) -> EnvironmentUpdated {
    let update = UpdateEnvironment::decode(At::root(&body)).unwrap();
    let updated = at
        .store
        .update_environment(at.workspace, id, update, at.env.now());
    updated.await.unwrap()
}

#[tokio::test]
async fn a_row_reads_back_as_it_was_written() {
    let at = StoreFolder::new();
    let body = json!({"name": "e", "description": "", "metadata": {"k": "v"},
        "config": {"type": "cloud", "networking": {"type": "limited", "allowed_hosts": ["a.com"]}}});
    let created = create(&at, body).await;
    let read = at
        .store
        .environment(at.workspace, created.id)
        .await
        .unwrap();
    assert_eq!(read, Some(created.clone()));
    let stranger = at.env.id();
    assert_eq!(
        at.store.environment(stranger, created.id).await.unwrap(),
        None
    );
}

#[tokio::test]
async fn updates_move_the_moment_only_when_something_changes() {
    let at = StoreFolder::new();
    let created = create(&at, json!({"name": "e"})).await;
    at.env.advance(Duration::from_secs(1));
    let same = update(&at, created.id, json!({"name": "e"})).await;
    assert_eq!(same, EnvironmentUpdated::Updated(Box::new(created.clone())));
    let renamed = update(&at, created.id, json!({"name": "f"})).await;
    let expected = Environment {
        name: "f".into(),
        updated_at: at.env.now(),
        ..created.clone()
    };
    assert_eq!(
        renamed,
        EnvironmentUpdated::Updated(Box::new(expected.clone()))
    );
    let read = at
        .store
        .environment(at.workspace, created.id)
        .await
        .unwrap();
    assert_eq!(read, Some(expected));
    let changed_type = update(&at, created.id, json!({"config": {"type": "self_hosted"}})).await;
    assert!(matches!(changed_type, EnvironmentUpdated::Invalid(_)));
    let unknown = update(&at, at.env.id(), json!({})).await;
    assert_eq!(unknown, EnvironmentUpdated::NoSuchEnvironment);
}

#[tokio::test]
async fn archived_is_read_only_and_can_be_deleted() {
    let at = StoreFolder::new();
    let created = create(&at, json!({"name": "e"})).await;
    let archive = || {
        at.store
            .archive_environment(at.workspace, created.id, at.env.now())
    };
    let archived = archive().await.unwrap().unwrap();
    assert_eq!(archived.archived_at, Some(at.env.now()));
    at.env.advance(Duration::from_secs(1));
    assert_eq!(archive().await.unwrap(), Some(archived));
    let refused = update(&at, created.id, json!({"name": "f"})).await;
    assert_eq!(refused, EnvironmentUpdated::Archived);
    let delete = || at.store.delete_environment(at.workspace, created.id);
    assert_eq!(delete().await.unwrap(), EnvironmentDeleted::Deleted);
    assert_eq!(
        delete().await.unwrap(),
        EnvironmentDeleted::NoSuchEnvironment
    );
}

#[tokio::test]
async fn lists_leave_out_the_archived_and_page_by_key() {
    let at = StoreFolder::new();
    let mut all = Vec::new();
    // All at one moment: the id tells them apart.
    for name in ["a", "b", "c"] {
        all.push(create(&at, json!({ "name": name })).await);
    }
    all.sort_by_key(|environment| std::cmp::Reverse(environment.id));
    let list = |archived, range| at.store.environments(at.workspace, archived, range);
    assert_eq!(list(Archived::LeftOut, first(2)).await.unwrap(), all[..2]);
    let after = PageRange {
        after: Some((all[1].created_at.as_micros(), all[1].id.to_string())),
        limit: 2,
    };
    assert_eq!(list(Archived::LeftOut, after).await.unwrap(), all[2..]);
    let archived = at
        .store
        .archive_environment(at.workspace, all[0].id, at.env.now());
    archived.await.unwrap();
    assert_eq!(list(Archived::LeftOut, first(9)).await.unwrap(), all[1..]);
    assert_eq!(list(Archived::Included, first(9)).await.unwrap().len(), 3);
}
