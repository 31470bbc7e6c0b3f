//! Requests about credentials: what they become, and what is refused.

use serde_json::{Value, json};

use super::*;
use crate::decode::{At, Invalid};

const NOW: i64 = 1_790_000_000_000_000;

fn now() -> Timestamp {
    Timestamp::from_micros(NOW)
}

fn create(auth: Value) -> Result<CreateCredential, Invalid> {
    CreateCredential::decode(At::root(&json!({ "auth": auth })), now())
}

fn refusal(auth: Value) -> String {
    create(auth).unwrap_err().to_string()
}

fn updated(auth: Value, by: Value) -> Result<(Value, Value), Invalid> {
    let created = create(auth).unwrap();
    let update = UpdateCredential::decode(At::root(&by)).unwrap();
    let (fields, secrets) = update.apply(created.fields, created.secrets, now())?;
    let inside = serde_json::from_slice(&secrets.to_bytes().unwrap()).unwrap();
    Ok((serde_json::to_value(fields.auth).unwrap(), inside))
}

fn bearer() -> Value {
    json!({ "type": "static_bearer", "token": "t0ken", "mcp_server_url": "https://mcp.example.com/sse" })
}

fn oauth() -> Value {
    json!({ "type": "mcp_oauth", "access_token": "acc3ss", "mcp_server_url": "https://mcp.example.com",
        "expires_at": "2030-01-01T00:00:00Z", "refresh": { "client_id": "c", "refresh_token": "r3fresh",
        "token_endpoint": "https://auth.example.com/token", "scope": "read",
        "token_endpoint_auth": { "type": "client_secret_basic", "client_secret": "cl1ent" } } })
}

fn variable() -> Value {
    json!({ "type": "environment_variable", "secret_name": "API_KEY", "secret_value": "s3cret",
        "networking": { "type": "limited", "allowed_hosts": ["*.Example.com"] } })
}

fn with(mut auth: Value, path: &str, value: Value) -> Value {
    *auth.pointer_mut(path).unwrap() = value;
    auth
}

#[test]
fn what_is_shown_has_no_secret_in_it() {
    for auth in [bearer(), oauth(), variable()] {
        let created = create(auth).unwrap();
        let shown = format!(
            "{} {created:?}",
            serde_json::to_string(&created.fields.auth).unwrap()
        );
        for secret in ["t0ken", "acc3ss", "r3fresh", "cl1ent", "s3cret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn an_absent_place_of_injection_means_both_and_a_present_one_what_it_says() {
    let shown = |auth| serde_json::to_value(create(auth).unwrap().fields.auth).unwrap();
    assert_eq!(
        shown(variable()),
        json!({ "type": "environment_variable", "secret_name": "API_KEY",
            "networking": { "type": "limited", "allowed_hosts": ["*.example.com"] },
            "injection_location": { "header": true, "body": true } })
    );
    let at = |location: Value| {
        let mut auth = variable();
        auth["injection_location"] = location;
        auth
    };
    assert_eq!(
        shown(at(json!({ "header": true })))["injection_location"],
        json!({ "header": true, "body": false })
    );
    for refused in [
        json!(null),
        json!({}),
        json!({ "header": false }),
        json!({ "header": null }),
    ] {
        assert!(refusal(at(refused)).starts_with("auth.injection_location"));
    }
}

#[test]
fn names_of_the_system_and_hosts_with_more_than_a_name_are_refused() {
    for name in [
        "PATH",
        "path",
        "LD_PRELOAD",
        "ANTHROPIC_API_KEY",
        "https_proxy",
        "ssl_cert_file",
        "GIT_CONFIG_COUNT",
        "1A",
        "A-B",
        "",
    ] {
        let refused = refusal(with(variable(), "/secret_name", json!(name)));
        assert!(
            refused.starts_with("auth.secret_name: "),
            "{name}: {refused}"
        );
    }
    for host in [
        "https://a.example",
        "a.example:443",
        "a.example/x",
        "[::1]",
        "*",
    ] {
        let refused = refusal(with(variable(), "/networking/allowed_hosts/0", json!(host)));
        assert!(
            refused.starts_with("auth.networking.allowed_hosts.0: "),
            "{host}: {refused}"
        );
    }
}

#[test]
fn a_token_that_has_expired_or_could_break_a_header_is_refused() {
    let past = with(oauth(), "/expires_at", json!("2020-01-01T00:00:00Z"));
    assert_eq!(
        refusal(past),
        "auth.expires_at: Input should be in the future"
    );
    let broken = with(bearer(), "/token", json!("a\r\nX: b"));
    assert_eq!(
        refusal(broken),
        "auth.token: String should not contain line breaks"
    );
}

#[test]
fn secrets_come_back_as_they_were_sealed() {
    for auth in [bearer(), oauth(), variable()] {
        let bytes = create(auth).unwrap().secrets.to_bytes().unwrap();
        let again = Secrets::from_bytes(&bytes).unwrap().to_bytes().unwrap();
        assert_eq!(bytes, again);
    }
    assert!(Secrets::from_bytes(br#"{"type":"of_tomorrow"}"#).is_err());
}

#[test]
fn an_update_keeps_what_it_leaves_out() {
    let by = json!({ "auth": { "type": "mcp_oauth", "access_token": "new", "refresh": {
        "scope": "", "token_endpoint_auth": { "type": "client_secret_post", "client_secret": "newer" } } } });
    let (auth, inside) = updated(oauth(), by).unwrap();
    assert_eq!(auth["expires_at"], "2030-01-01T00:00:00.000000Z");
    assert_eq!(auth["refresh"]["scope"], json!(null));
    assert_eq!(
        auth["refresh"]["token_endpoint_auth"],
        json!({ "type": "client_secret_basic" })
    );
    assert_eq!(
        inside,
        json!({ "type": "mcp_oauth", "access_token": "new", "refresh_token": "r3fresh", "client_secret": "newer" })
    );
    let by = json!({ "auth": { "type": "environment_variable", "networking": { "type": "unrestricted" },
        "injection_location": { "body": false } } });
    let (auth, inside) = updated(variable(), by).unwrap();
    assert_eq!(auth["networking"], json!({ "type": "unrestricted" }));
    assert_eq!(
        auth["injection_location"],
        json!({ "header": true, "body": false })
    );
    assert_eq!(inside["secret_value"], "s3cret");
}

#[test]
fn what_a_credential_is_for_is_fixed() {
    let refused = |auth: Value, by: Value| updated(auth, json!({ "auth": by })).unwrap_err().path;
    let other_kind = json!({ "type": "mcp_oauth", "access_token": "x" });
    assert_eq!(refused(bearer(), other_kind), "auth.type");
    let moved = json!({ "type": "static_bearer", "mcp_server_url": "https://b.example" });
    assert_eq!(refused(bearer(), moved), "auth.mcp_server_url");
    let renamed = json!({ "type": "environment_variable", "secret_name": "B" });
    assert_eq!(refused(variable(), renamed), "auth.secret_name");
    let endpoint =
        json!({ "type": "mcp_oauth", "refresh": { "token_endpoint": "https://b.example" } });
    assert_eq!(refused(oauth(), endpoint), "auth.refresh.token_endpoint");
    let off = json!({ "type": "environment_variable", "injection_location": { "header": false, "body": false } });
    assert_eq!(refused(variable(), off), "auth.injection_location");
    let added = json!({ "type": "mcp_oauth", "refresh": { "refresh_token": "x" } });
    assert_eq!(
        refused(with(oauth(), "/refresh", json!(null)), added),
        "auth.refresh"
    );
}
