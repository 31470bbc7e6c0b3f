//! A session keeps the environment that it started with.

use std::collections::BTreeMap;
use std::time::Duration;

use hostler_domain::Env;
use hostler_protocol::Timestamp;
use hostler_protocol::decode::At;
use hostler_protocol::environment::{EnvironmentConfig, UpdateEnvironment};
use hostler_protocol::id::{EnvironmentId, SessionId};
use hostler_store::{SessionEnvironment, Store};
use rusqlite::Connection;
use serde_json::json;

use crate::session_folder::SessionFolder;

async fn of(store: &Store, id: SessionId) -> Option<SessionEnvironment> {
    store.session_environment(id).await.unwrap()
}

#[tokio::test]
async fn an_update_of_the_environment_reaches_only_sessions_made_after_it() {
    let at = SessionFolder::new().await;
    let before = at.session().await;
    let first = of(&at.store, before.id).await;
    at.env.advance(Duration::from_secs(1));
    let body = json!({"config": {"type": "cloud", "networking": {"type": "limited",
        "allowed_hosts": ["a.com"]}}, "metadata": {"k": "v"}});
    let update = UpdateEnvironment::decode(At::root(&body)).unwrap();
    let updated = at
        .store
        .update_environment(at.workspace, at.environment, update, at.env.now());
    updated.await.unwrap();
    let after = at.session().await;
    let environment = at.store.environment(at.workspace, at.environment).await;
    let environment = environment.unwrap().unwrap();
    let expected = SessionEnvironment {
        environment_id: at.environment,
        config: environment.config,
        metadata: environment.metadata,
        updated_at: environment.updated_at,
    };
    assert_eq!(of(&at.store, after.id).await, Some(expected.clone()));
    assert_eq!(of(&at.store, before.id).await, first);
    assert_ne!(first, Some(expected));
    assert_eq!(of(&at.store, at.env.id()).await, None);
}

const FIRST_SCHEMA: &str = include_str!("../../../../migrations/0001_init.sql");

#[tokio::test]
async fn sessions_from_before_it_was_kept_go_on_with_what_their_environment_says() {
    let (folder, env) = (tempfile::tempdir().unwrap(), Env::fixed(1));
    let (session, environment): (SessionId, EnvironmentId) = (env.id(), env.id());
    let old = Connection::open(folder.path().join("hostler.db")).unwrap();
    old.execute_batch(FIRST_SCHEMA).unwrap();
    old.execute(
        "insert into sessions (id, workspace_id, environment_id, agent_id, agent_version, \
         thread_id, metadata, status, summary, created_at, updated_at, last_seq, lease_epoch, \
         lease_expires_at) values (?1, 'w', ?2, 'a', 1, 't', '{}', 'idle', '{}', 0, 0, 0, 0, 0)",
        [session.to_string(), environment.to_string()],
    )
    .unwrap();
    old.execute(
        r#"insert into environments values (?1, 'w', 'e', null, '{"type":"self_hosted"}',
         '{"k":"v"}', 1, 2, null)"#,
        [environment.to_string()],
    )
    .unwrap();
    old.execute_batch("pragma user_version = 1").unwrap();
    drop(old);
    let expected = SessionEnvironment {
        environment_id: environment,
        config: EnvironmentConfig::SelfHosted,
        metadata: BTreeMap::from([("k".to_owned(), "v".to_owned())]),
        updated_at: Timestamp::from_micros(2),
    };
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(of(&store, session).await, Some(expected));
}
