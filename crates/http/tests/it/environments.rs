//! Environments over HTTP.

use serde_json::{Value, json};

use crate::harness::Service;

async fn create(service: &Service, body: Value) -> Value {
    let call = service.request("POST /v1/environments").json(body);
    call.ok().await
}

fn path(environment: &Value) -> String {
    format!("/v1/environments/{}", environment["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_environment_has_the_documented_shape() {
    let service = Service::start().await;
    let made = create(&service, json!({"name": "e"})).await;
    assert_eq!(
        made,
        json!({
            "id": made["id"], "type": "environment", "name": "e", "description": null,
            "config": {"type": "cloud", "networking": {"type": "unrestricted"}, "packages":
                {"type": "packages", "apt": [], "cargo": [], "gem": [], "go": [], "npm": [], "pip": []}},
            "metadata": {}, "scope": "organization", "created_at": made["created_at"],
            "updated_at": made["created_at"], "archived_at": null,
        })
    );
    assert_eq!(
        service.request(&format!("GET {}", path(&made))).ok().await,
        made
    );
    let listed = service.request("GET /v1/environments").ok().await;
    assert_eq!(listed, json!({"data": [made], "next_page": null}));
}

#[tokio::test]
async fn refusals_have_their_codes() {
    let service = Service::start().await;
    let made = create(&service, json!({"name": "e"})).await;
    let update = |body: Value| service.request(&format!("POST {}", path(&made))).json(body);
    let refused = update(json!({"config": {"type": "self_hosted"}}))
        .send()
        .await;
    let code = "invalid_config_type_change";
    assert_eq!(refused.error_code().as_deref(), Some(code));
    let archive = service.request(&format!("POST {}/archive", path(&made)));
    assert!(archive.ok().await["archived_at"].is_string());
    let refused = update(json!({"name": "f"})).send().await;
    assert_eq!(refused.status, 400);
    assert_eq!(
        refused.error_code().as_deref(),
        Some("environment_archived")
    );
    let unknown = "env_011CZkZ9X2dpNyB7HsEFoRfW";
    let missing = service.request(&format!("DELETE /v1/environments/{unknown}"));
    let (status, _, message) = missing.send().await.failure();
    assert_eq!((status, message), (404, format!("{unknown} was not found")));
}

#[tokio::test]
async fn deleting_leaves_a_tombstone_in_the_answer() {
    let service = Service::start().await;
    let made = create(&service, json!({"name": "e"})).await;
    let delete = || service.request(&format!("DELETE {}", path(&made)));
    let tombstone = json!({"id": made["id"], "type": "environment_deleted"});
    assert_eq!(delete().ok().await, tombstone);
    assert_eq!(delete().send().await.failure().0, 404);
}
