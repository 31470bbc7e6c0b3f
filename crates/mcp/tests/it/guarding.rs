//! Nothing is connected to that the guard did not name.

use hostler_mcp::{ConnectError, Endpoint};

use crate::server::{IntoStatus as _, Server, client, echo_server};

fn without_token(url: String) -> Endpoint {
    Endpoint { url, token: None }
}

#[tokio::test]
async fn a_name_leads_where_the_guard_says() {
    let server = Server::start(echo_server).await;
    let url = server.url.replace("127.0.0.1", "server.test");
    let connection = client().connect(&without_token(url)).await.unwrap();
    assert_eq!(connection.tools().await.unwrap().tools.len(), 1);
}

#[tokio::test]
async fn an_address_in_a_names_place_is_asked_for_too() {
    for address in ["127.0.0.2", "[::1]", "169.254.169.254"] {
        let url = format!("http://{address}:1/mcp");
        let refused = client().connect(&without_token(url)).await.unwrap_err();
        let host = address.trim_matches(['[', ']']);
        let words = format!("{host} may not be reached");
        assert_eq!(refused, ConnectError::Failed(words));
    }
}

#[tokio::test]
async fn a_name_that_is_not_permitted_is_not_looked_up_elsewhere() {
    let refused = client()
        .connect(&without_token("http://localhost:1/mcp".to_owned()))
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("localhost may not be reached"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let target = Server::start(echo_server).await;
    let to = target.url.clone();
    let server = Server::start(move |_| {
        let mut answer = 307.into_status();
        let to = to.parse().unwrap();
        answer.headers_mut().insert("location", to);
        answer
    })
    .await;
    client()
        .connect(&server.endpoint("tok-1"))
        .await
        .unwrap_err();
    assert!(target.seen().is_empty());
}
