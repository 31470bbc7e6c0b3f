//! Token endpoints.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use hostler_mcp::{ClientAuth, Refresh, RefreshError, Secret};
use serde_json::json;

use crate::server::{Server, client};

fn refresh(server: &Server, client_auth: ClientAuth) -> Refresh {
    Refresh {
        token_endpoint: server.url.clone(),
        client_id: "the client".to_owned(),
        client_auth,
        refresh_token: Secret::new("r-1".to_owned()),
        scope: Some("a b".to_owned()),
        resource: None,
    }
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

async fn granting() -> Server {
    Server::start(|_| {
        axum::Json(
            json!({"access_token": "a-2", "refresh_token": "r-2", "expires_in": 60,
            "token_type": "bearer"}),
        )
        .into_response()
    })
    .await
}

#[tokio::test]
async fn each_way_of_showing_who_we_are() {
    let base = "grant_type=refresh_token&refresh_token=r-1&scope=a+b";
    let cases = [
        (
            ClientAuth::None,
            format!("{base}&client_id=the+client"),
            None,
        ),
        (
            ClientAuth::Post(secret("s:1")),
            format!("{base}&client_id=the+client&client_secret=s%3A1"),
            None,
        ),
        // "the+client:s%3A1"
        (
            ClientAuth::Basic(secret("s:1")),
            base.to_owned(),
            Some("Basic dGhlK2NsaWVudDpzJTNBMQ=="),
        ),
    ];
    for (client_auth, body, authorization) in cases {
        let server = granting().await;
        client()
            .refresh(&refresh(&server, client_auth))
            .await
            .unwrap();
        let seen = server.seen();
        assert_eq!((seen.len(), &seen[0].body), (1, &body));
        assert_eq!(seen[0].authorization.as_deref(), authorization);
    }
}

#[tokio::test]
async fn a_rotated_token_is_given_back() {
    let server = granting().await;
    let renewed = client().refresh(&refresh(&server, ClientAuth::None)).await;
    let renewed = renewed.unwrap();
    let rotated = renewed.refresh_token.map(|token| token.expose().to_owned());
    assert_eq!(renewed.access_token.expose(), "a-2");
    assert_eq!(rotated.as_deref(), Some("r-2"));
    assert_eq!(renewed.expires_in, Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_refusal_for_good_is_told_from_a_server_in_trouble() {
    let cases = [
        (400, true),
        (401, true),
        (429, false),
        (500, false),
        (200, false),
    ];
    for (status, for_good) in cases {
        let server = Server::start(move |seen| {
            let status = StatusCode::from_u16(status).unwrap();
            (status, format!("you sent {}", seen.body)).into_response()
        })
        .await;
        let failed = client().refresh(&refresh(&server, ClientAuth::None)).await;
        let (is_for_good, shown) = match failed.unwrap_err() {
            RefreshError::Rejected(shown) => (true, shown),
            RefreshError::Unavailable(shown) => (false, shown),
            RefreshError::Unreachable(words) => panic!("{words}"),
        };
        assert_eq!((is_for_good, shown.status_code), (for_good, status));
        assert!(!shown.body.contains("r-1"), "{}", shown.body);
    }
}
