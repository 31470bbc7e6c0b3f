//! Agents over HTTP: answers, conflicts, lists.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Service;

async fn create(service: &Service, name: &str) -> Value {
    let body = json!({"name": name, "model": "test-model"});
    service.request("POST /v1/agents").json(body).ok().await
}

fn path(agent: &Value) -> String {
    format!("/v1/agents/{}", agent["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_agent_is_made_changed_and_read_at_each_version() {
    let service = Service::start().await;
    let agent = create(&service, "a").await;
    assert_eq!(agent["version"], 1);
    let change = service.request(&format!("POST {}", path(&agent)));
    let changed = change.json(json!({"version": 1, "system": "s"})).ok().await;
    assert_eq!(
        (&changed["version"], &changed["system"]),
        (&json!(2), &json!("s"))
    );
    let read = |query: &str| service.request(&format!("GET {}{query}", path(&agent)));
    assert_eq!(read("").ok().await, changed);
    assert_eq!(read("?version=1&beta=true").ok().await, agent);
    let (status, kind, message) = read("?version=9").send().await.failure();
    assert_eq!((status, &*kind), (404, "not_found_error"));
    assert!(message.contains(agent["id"].as_str().unwrap()), "{message}");
    assert_eq!(read("?version=0").send().await.failure().0, 400);
}

#[tokio::test]
async fn a_stale_version_is_a_conflict_that_is_not_to_be_repeated() {
    let service = Service::start().await;
    let agent = create(&service, "a").await;
    let change = service.request(&format!("POST {}", path(&agent)));
    let answer = change.json(json!({"version": 7})).send().await;
    let expected = "Concurrent modification detected. Please fetch the latest version and retry.";
    assert_eq!(
        answer.failure(),
        (409, "conflict_error".into(), expected.into())
    );
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn an_archived_agent_is_read_only() {
    let service = Service::start().await;
    let agent = create(&service, "a").await;
    let archive = || service.request(&format!("POST {}/archive", path(&agent)));
    let archived = archive().ok().await;
    assert!(archived["archived_at"].is_string());
    assert_eq!(archive().ok().await, archived);
    let change = service.request(&format!("POST {}", path(&agent)));
    let (status, _, message) = change.json(json!({"name": "b"})).send().await.failure();
    assert_eq!((status, &*message), (400, "Cannot modify archived agent"));
    let listed = service.request("GET /v1/agents").ok().await;
    assert_eq!(listed, json!({"data": [], "next_page": null}));
    let all = service.request("GET /v1/agents?include_archived=true");
    assert_eq!(all.ok().await["data"], json!([archived]));
}

#[tokio::test]
async fn refusals_name_the_field_or_the_id() {
    let service = Service::start().await;
    let body = json!({"name": "a", "model": "test-model", "tools": [{"type": "custom"}]});
    let refused = service.request("POST /v1/agents").json(body).send().await;
    assert_eq!(refused.failure().2, "tools.0.name: Field required");
    let body = json!({"name": "a", "model": "test-model", "metadata": {"k": 1}});
    let refused = service.request("POST /v1/agents").json(body).send().await;
    assert_eq!(refused.error_code().as_deref(), Some("invalid_metadata"));
    let unknown = "agent_011CZkZ9X2dpNyB7HsEFoRfW";
    for line in [
        format!("GET /v1/agents/{unknown}"),
        format!("POST /v1/agents/{unknown}/archive"),
        format!("GET /v1/agents/{unknown}/versions"),
    ] {
        let (status, _, message) = service.request(&line).send().await.failure();
        assert_eq!((status, message), (404, format!("{unknown} was not found")));
    }
}

#[tokio::test]
async fn lists_are_paged_to_their_end() {
    let service = Service::start().await;
    let mut agents = Vec::new();
    for name in ["a", "b", "c"] {
        agents.push(create(&service, name).await);
        service.env.advance(Duration::from_secs(1));
    }
    agents.reverse();
    let first = service.request("GET /v1/agents?limit=2").ok().await;
    assert_eq!(first["data"], json!(agents[..2]));
    let cursor = first["next_page"].as_str().unwrap();
    let second = service.request(&format!("GET /v1/agents?limit=2&page={cursor}"));
    assert_eq!(
        second.ok().await,
        json!({"data": agents[2..], "next_page": null})
    );
    let from = agents[1]["created_at"].as_str().unwrap();
    let range = format!("GET /v1/agents?created_at[gte]={from}&created_at[lte]={from}");
    assert_eq!(
        service.request(&range).ok().await["data"],
        json!(agents[1..2])
    );
    let versions = format!("{}/versions", path(&agents[0]));
    let foreign = format!("GET {versions}?page={cursor}");
    assert_eq!(service.request(&foreign).send().await.failure().0, 400);
    let versions = service.request(&format!("GET {versions}")).ok().await;
    assert_eq!(versions, json!({"data": agents[..1], "next_page": null}));
}
