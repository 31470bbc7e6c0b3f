//! Sessions as a resource: made, read, listed, changed, ended.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{add_key, add_workspace};
use crate::world::World;

fn ids(page: &Value) -> Vec<String> {
    let items = page["data"].as_array().unwrap().iter();
    items
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_session_is_created_idle_and_reads_back() {
    let world = World::new().await;
    let made = world.create(json!({"title": "t", "metadata": {"k": "v"}}));
    let made = made.ok().await;
    assert_eq!(made["type"], "session");
    assert_eq!(made["status"], "idle");
    assert_eq!(made["agent"]["id"], json!(world.agent));
    assert_eq!(made["agent"]["version"], 1);
    assert_eq!(made["agent"].get("metadata"), None);
    assert_eq!(made["title"], "t");
    assert_eq!(made["metadata"], json!({"k": "v"}));
    for empty in ["resources", "vault_ids", "outcome_evaluations"] {
        assert_eq!(made[empty], json!([]), "{empty}");
    }
    for null in ["budget", "deployment_id", "archived_at"] {
        assert_eq!(made[null], Value::Null, "{null}");
    }
    assert_eq!(made["usage"]["input_tokens"], 0);
    let path = format!("GET /v1/sessions/{}", made["id"].as_str().unwrap());
    assert_eq!(world.request(&path).ok().await, made);
}

#[tokio::test]
async fn initial_events_start_it() {
    let world = World::new().await;
    let message =
        |text| json!({"type": "user.message", "content": [{"type": "text", "text": text}]});
    let events = json!([message("one"), message("two")]);
    let made = world.create(json!({"initial_events": events})).ok().await;
    assert_eq!(made["status"], "running");
    let id = made["id"].as_str().unwrap();
    let path = format!("GET /v1/sessions/{id}/events");
    let listed = world.request(&path).ok().await;
    let types: Vec<&str> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "session.status_running",
            "session.thread_status_running",
            "user.message",
            "user.message"
        ]
    );
    assert_eq!(listed["data"][2]["processed_at"], Value::Null);
    assert_eq!(listed["data"][3]["content"][0]["text"], "two");
    for line in [
        format!("POST /v1/sessions/{id}/archive"),
        format!("DELETE /v1/sessions/{id}"),
    ] {
        let (status, _, message) = world.request(&line).send().await.failure();
        assert_eq!(status, 400);
        assert!(message.contains("while it is running"), "{message}");
    }
}

#[tokio::test]
async fn what_it_names_must_exist() {
    let world = World::new().await;
    let env = &world.service.env;
    let unknown_agent: hostler_protocol::id::AgentId = env.id();
    let unknown_environment: hostler_protocol::id::EnvironmentId = env.id();
    for (change, status, code) in [
        (json!({"agent": unknown_agent}), 404, None),
        (json!({"agent": "robot"}), 404, None),
        (
            json!({"agent": {"type": "agent", "id": world.agent, "version": 9}}),
            404,
            None,
        ),
        (
            json!({"environment_id": unknown_environment}),
            404,
            Some("environment_not_found"),
        ),
        (
            json!({"environment_id": "robot"}),
            404,
            Some("environment_not_found"),
        ),
        (json!({"budget": {}}), 400, Some("feature_not_supported")),
        (json!({"agent_id": 1}), 400, None),
    ] {
        let answer = world.create(change.clone()).send().await;
        assert_eq!(answer.failure().0, status, "{change}");
        assert_eq!(answer.error_code().as_deref(), code, "{change}");
    }
    let archive = format!("POST /v1/environments/{}/archive", world.environment);
    world.request(&archive).ok().await;
    let answer = world.create(json!({})).send().await;
    assert_eq!(answer.error_code().as_deref(), Some("environment_archived"));
}

#[tokio::test]
async fn an_update_says_what_changed_and_nothing_else() {
    let world = World::new().await;
    let id = world.session().await;
    let update = |body| world.request(&format!("POST /v1/sessions/{id}")).json(body);
    let changed = update(json!({"title": "T", "metadata": {"a": "1", "b": "2"}}));
    assert_eq!(changed.ok().await["metadata"], json!({"a": "1", "b": "2"}));
    world.service.env.advance(Duration::from_secs(1));
    let patched = update(json!({"metadata": {"a": null}})).ok().await;
    assert_eq!(patched["metadata"], json!({"b": "2"}));
    world.service.env.advance(Duration::from_secs(1));
    let same = update(json!({"title": "T", "metadata": null})).ok().await;
    assert_eq!(same["updated_at"], patched["updated_at"]);
    let tools = update(json!({"agent": {"tools": []}})).ok().await;
    assert_eq!(tools["agent"]["tools"], json!([]));
    assert_eq!(
        update(json!({"vault_ids": []})).send().await.failure().0,
        400
    );
    let path = format!("GET /v1/sessions/{id}/events?types[]=session.updated");
    let events = world.request(&path).ok().await;
    let events = events["data"].as_array().unwrap();
    assert_eq!(events.len(), 3);
    assert_eq!(events[0]["title"], "T");
    assert_eq!(events[1].get("title"), None);
    assert_eq!(events[1]["metadata"], json!({"b": "2"}));
    assert!(events[2].get("agent").is_some());
}

#[tokio::test]
async fn an_archived_session_is_read_only() {
    let world = World::new().await;
    let id = world.session().await;
    let archive = format!("POST /v1/sessions/{id}/archive");
    let archived = world.request(&archive).ok().await;
    assert_eq!(archived["status"], "terminated");
    assert!(archived["archived_at"].is_string());
    world.service.env.advance(Duration::from_secs(5));
    assert_eq!(world.request(&archive).ok().await, archived);
    let path = format!("GET /v1/sessions/{id}");
    assert_eq!(world.request(&path).ok().await, archived);
    let update = world.request(&format!("POST /v1/sessions/{id}"));
    assert_eq!(
        update.json(json!({"title": "x"})).send().await.failure().0,
        400
    );
    let send = world.request(&format!("POST /v1/sessions/{id}/events"));
    let send = send.json(json!({"events": [{"type": "user.interrupt"}]}));
    assert_eq!(send.send().await.failure().0, 400);
    assert_eq!(ids(&world.request("GET /v1/sessions").ok().await).len(), 0);
    let all = world.request("GET /v1/sessions?include_archived=true");
    assert_eq!(ids(&all.ok().await), [id]);
}

#[tokio::test]
async fn a_deleted_session_is_gone_from_every_path() {
    let world = World::new().await;
    let id = world.session().await;
    let deleted = world
        .request(&format!("DELETE /v1/sessions/{id}"))
        .ok()
        .await;
    assert_eq!(deleted, json!({"id": id, "type": "session_deleted"}));
    let message = json!({"events": [{"type": "user.interrupt"}]});
    for (line, body) in [
        ("GET", None),
        ("DELETE", None),
        ("POST /archive", None),
        ("POST", Some(json!({"title": "x"}))),
        ("GET /events", None),
        ("POST /events", Some(message)),
        ("GET /events/stream", None),
        ("GET /resources", None),
    ] {
        let (method, rest) = line.split_once(' ').unwrap_or((line, ""));
        let call = world.request(&format!("{method} /v1/sessions/{id}{rest}"));
        let call = match body {
            Some(body) => call.json(body),
            None => call,
        };
        assert_eq!(call.send().await.failure().0, 404, "{line}");
    }
}

#[tokio::test]
async fn another_workspace_sees_nothing() {
    let world = World::new().await;
    let id = world.session().await;
    let service = &world.service;
    let other = add_workspace(&service.store, &service.env).await;
    let (_, key) = add_key(&service.store, &service.env, other).await;
    let stranger = |line: &str| {
        let call = service.request(line);
        call.header("authorization", &format!("Bearer {key}"))
    };
    let listed = stranger("GET /v1/sessions").ok().await;
    assert_eq!(ids(&listed).len(), 0);
    for rest in ["", "/events", "/events/stream", "/resources"] {
        let call = stranger(&format!("GET /v1/sessions/{id}{rest}"));
        assert_eq!(call.send().await.failure().0, 404, "{rest}");
    }
    let create = stranger("POST /v1/sessions");
    let body = json!({"agent": world.agent, "environment_id": world.environment});
    assert_eq!(create.json(body).send().await.failure().0, 404);
}

#[tokio::test]
async fn the_list_reads_both_ways_and_filters() {
    let world = World::new().await;
    let mut newest_first = Vec::new();
    for _ in 0..5 {
        newest_first.insert(0, world.session().await);
        world.service.env.advance(Duration::from_secs(1));
    }
    let get = |query: &str| world.request(&format!("GET /v1/sessions?{query}")).ok();
    let first = get("limit=2").await;
    let next = first["next_page"].as_str().unwrap();
    let second = get(&format!("limit=2&page={next}")).await;
    assert_eq!(ids(&first), newest_first[..2]);
    assert_eq!(ids(&second), newest_first[2..4]);
    let back = second["prev_page"].as_str().unwrap();
    assert_eq!(
        ids(&get(&format!("limit=2&page={back}")).await),
        newest_first[..2]
    );
    assert_eq!(first["prev_page"], Value::Null);
    let ascending = get("order=asc").await;
    let oldest_first: Vec<String> = newest_first.iter().rev().cloned().collect();
    assert_eq!(ids(&ascending), oldest_first);
    let turned = world.request(&format!("GET /v1/sessions?order=asc&page={next}"));
    assert_eq!(turned.send().await.failure().0, 400);

    assert_eq!(
        ids(&get("statuses[]=idle&statuses[]=running").await).len(),
        5
    );
    assert_eq!(ids(&get("statuses[]=running").await).len(), 0);
    assert_eq!(
        ids(&get(&format!("agent_id={}", world.agent)).await).len(),
        5
    );
    assert_eq!(ids(&get("deployment_id=depl_1").await).len(), 0);
    let middle = ascending["data"][2]["created_at"].as_str().unwrap();
    assert_eq!(
        ids(&get(&format!("created_at[gt]={middle}")).await).len(),
        2
    );
    let outside = world.request(&format!(
        "GET /v1/sessions?page={next}&created_at[lt]={middle}"
    ));
    let message = outside.send().await.failure().2;
    assert!(
        message.starts_with("page: the created_at filter"),
        "{message}"
    );
}
