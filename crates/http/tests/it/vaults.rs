//! Vaults and their credentials over HTTP: what is answered, and what never leaves.

use std::sync::Arc;

use hostler_http::HttpOptions;
use hostler_vault::{Keyring, MasterKey};
use serde_json::{Value, json};

use crate::harness::{Answer, Service, options};

const CANARY: &str = "c4nary-7d1f";

async fn service() -> Service {
    let key = MasterKey::parse(&MasterKey::generate().unwrap()).unwrap();
    let keyring = Some(Arc::new(Keyring::new(key, Vec::new())));
    Service::with(HttpOptions {
        keyring,
        ..options()
    })
    .await
}

async fn vault(service: &Service) -> String {
    let vault = service
        .request("POST /v1/vaults")
        .json(json!({ "display_name": "v" }));
    let vault = vault.ok().await;
    format!("/v1/vaults/{}", vault["id"].as_str().unwrap())
}

async fn post(service: &Service, path: &str, body: Value) -> Answer {
    service
        .request(&format!("POST {path}"))
        .json(body)
        .send()
        .await
}

async fn add(service: &Service, vault: &str, auth: Value) -> Answer {
    post(
        service,
        &format!("{vault}/credentials"),
        json!({ "auth": auth }),
    )
    .await
}

fn bearer(url: &str) -> Value {
    json!({ "type": "static_bearer", "token": CANARY, "mcp_server_url": url })
}

fn variable(name: &str) -> Value {
    json!({ "type": "environment_variable", "secret_name": name, "secret_value": CANARY,
        "networking": { "type": "unrestricted" } })
}

fn path_of(vault: &str, credential: &Value) -> String {
    format!("{vault}/credentials/{}", credential["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_credential_has_the_documented_shape_and_no_secret() {
    let service = service().await;
    let vault = vault(&service).await;
    let made = add(&service, &vault, variable("API_KEY")).await;
    assert!(!made.text.contains(CANARY), "{}", made.text);
    let made = made.json();
    assert_eq!(
        made,
        json!({
            "id": made["id"], "type": "vault_credential", "vault_id": made["vault_id"], "display_name": null,
            "auth": { "type": "environment_variable", "secret_name": "API_KEY",
                "networking": { "type": "unrestricted" }, "injection_location": { "header": true, "body": true } },
            "metadata": {}, "created_at": made["created_at"], "updated_at": made["created_at"],
            "archived_at": null,
        })
    );
    let read = service.request(&format!("GET {}", path_of(&vault, &made)));
    assert_eq!(read.ok().await, made);
    let listed = service.request(&format!("GET {vault}/credentials"));
    assert_eq!(
        listed.ok().await,
        json!({ "data": [made], "next_page": null })
    );
}

#[tokio::test]
async fn an_update_changes_the_secret_and_shows_nothing_of_it() {
    let service = service().await;
    let vault = vault(&service).await;
    let made = add(&service, &vault, bearer("https://mcp.example.com"))
        .await
        .json();
    let path = path_of(&vault, &made);
    let body =
        json!({ "display_name": "d", "auth": { "type": "static_bearer", "token": "another" } });
    let updated = post(&service, &path, body).await;
    assert!(!updated.text.contains("another"), "{}", updated.text);
    assert_eq!(updated.json()["display_name"], "d");
    let body = json!({ "auth": { "type": "mcp_oauth", "access_token": "x" } });
    let (status, _, message) = post(&service, &path, body).await.failure();
    assert_eq!(status, 400);
    assert!(message.starts_with("auth.type: "), "{message}");
}

#[tokio::test]
async fn one_active_credential_for_a_server_until_it_is_archived() {
    let service = service().await;
    let vault = vault(&service).await;
    let first = add(&service, &vault, bearer("https://mcp.example.com/a"))
        .await
        .json();
    let same = || add(&service, &vault, bearer("HTTPS://MCP.example.com:443/a/"));
    assert_eq!(same().await.failure().0, 409);
    let archive = format!("POST {}/archive", path_of(&vault, &first));
    let archived = service.request(&archive).ok().await;
    assert!(archived["archived_at"].is_string());
    assert_eq!(service.request(&archive).ok().await, archived);
    assert!(same().await.status.is_success());
    let body = json!({ "display_name": "d" });
    let (status, _, message) = post(&service, &path_of(&vault, &first), body)
        .await
        .failure();
    assert_eq!((status, message.as_str()), (400, "Credential is archived."));
    let shown = service.request(&format!("GET {vault}/credentials?include_archived=true"));
    assert_eq!(shown.ok().await["data"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_vault_holds_twenty() {
    let service = service().await;
    let vault = vault(&service).await;
    for number in 0..20 {
        assert!(
            add(&service, &vault, variable(&format!("KEY_{number}")))
                .await
                .status
                .is_success()
        );
    }
    assert_eq!(
        add(&service, &vault, variable("KEY_20")).await.failure().0,
        400
    );
}

#[tokio::test]
async fn an_archived_vault_forgets_its_secrets_and_takes_no_more() {
    let service = service().await;
    let vault = vault(&service).await;
    let made = add(&service, &vault, variable("KEY")).await.json();
    let archived = service.request(&format!("POST {vault}/archive")).ok().await;
    assert!(archived["archived_at"].is_string());
    let credential = service
        .request(&format!("GET {}", path_of(&vault, &made)))
        .ok()
        .await;
    assert_eq!(credential["archived_at"], archived["archived_at"]);
    let id = made["id"].as_str().unwrap().parse().unwrap();
    let vault_id = made["vault_id"].as_str().unwrap().parse().unwrap();
    let stored = service.store.credential(service.workspace, vault_id, id);
    assert!(stored.await.unwrap().unwrap().sealed.is_none());
    assert_eq!(
        add(&service, &vault, variable("OTHER")).await.failure().0,
        400
    );
    let deleted = service.request(&format!("DELETE {vault}")).ok().await;
    assert_eq!(deleted["type"], "vault_deleted");
    let gone = service.request(&format!("GET {}", path_of(&vault, &made)));
    assert_eq!(gone.send().await.failure().0, 404);
}

#[tokio::test]
async fn nothing_is_kept_without_a_master_key() {
    let service = Service::start().await;
    let vault = vault(&service).await;
    let refused = add(&service, &vault, variable("KEY")).await;
    assert!(
        refused.text.contains("vaults.master_key_file"),
        "{}",
        refused.text
    );
    assert_eq!(refused.failure().0, 400);
    let listed = service
        .request(&format!("GET {vault}/credentials"))
        .ok()
        .await;
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test]
async fn a_credential_of_another_vault_is_not_found() {
    let service = service().await;
    let (one, other) = (vault(&service).await, vault(&service).await);
    let made = add(&service, &one, variable("KEY")).await.json();
    let elsewhere = path_of(&other, &made);
    for line in ["GET", "DELETE"].map(|method| format!("{method} {elsewhere}")) {
        assert_eq!(
            service.request(&line).send().await.failure().0,
            404,
            "{line}"
        );
    }
    assert_eq!(post(&service, &elsewhere, json!({})).await.failure().0, 404);
}
