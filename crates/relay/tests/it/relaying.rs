//! What one says the others hear, and what becomes of it when nobody can hear it.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use hostler_relay::{Credential, MESSAGE_BYTES_MAX, Relay, RelayError, RelayOptions, SecretText};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use crate::nats_server::{NatsServer, options};

async fn relay(server: &NatsServer) -> Relay {
    let options = server.options(Credential::None);
    Relay::connect(&options).await.unwrap()
}

/// Says `text` until it is heard: what is said before somebody follows is lost.
async fn heard(from: &mut Relay, to: &mut Relay, topic: &str, text: &'static [u8]) -> String {
    loop {
        from.send(topic, Bytes::from_static(text)).await;
        let wait = tokio::time::timeout(Duration::from_millis(20), to.next());
        if let Ok((heard_at, message)) = wait.await
            && message == text
        {
            return heard_at;
        }
    }
}

#[tokio::test]
async fn what_one_says_the_others_hear_and_it_does_not() {
    let Some(server) = NatsServer::start(0, "") else {
        return;
    };
    let (mut one, mut two) = (relay(&server).await, relay(&server).await);
    one.follow("a").await;
    two.follow("a").await;
    two.follow("a").await;
    assert_eq!(heard(&mut one, &mut two, "a", b"of one").await, "a");
    // Had it heard itself, that would be in front.
    two.send("a", Bytes::from_static(b"of two")).await;
    assert_eq!(one.next().await.1, "of two");
}

#[tokio::test]
async fn a_topic_that_was_left_is_not_heard_and_can_be_followed_again() {
    let Some(server) = NatsServer::start(0, "") else {
        return;
    };
    let (mut one, mut two) = (relay(&server).await, relay(&server).await);
    for topic in ["a", "b"] {
        two.follow(topic).await;
        heard(&mut one, &mut two, topic, b"before").await;
    }
    two.leave("a");
    one.send("a", Bytes::from_static(b"unheard")).await;
    one.send("b", Bytes::from_static(b"last")).await;
    loop {
        let (topic, message) = two.next().await;
        assert_ne!(message, "unheard", "at {topic}");
        if message == "last" {
            break;
        }
    }
    two.follow("a").await;
    heard(&mut one, &mut two, "a", b"again").await;
}

#[tokio::test]
async fn a_server_that_comes_back_has_the_same_followers() {
    let Some(server) = NatsServer::start(0, "") else {
        return;
    };
    let (mut one, mut two) = (relay(&server).await, relay(&server).await);
    two.follow("a").await;
    heard(&mut one, &mut two, "a", b"before").await;
    let port = server.port;
    drop(server);
    let _server = NatsServer::start(port, "").unwrap();
    heard(&mut one, &mut two, "a", b"after").await;
}

#[tokio::test]
async fn without_a_server_nothing_waits_and_nothing_is_kept() {
    // A port that nobody listens on: who had it has gone.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("nats://{}", gone.local_addr().unwrap());
    drop(gone);
    let options = options(&address, Credential::None);
    let mut relay = Relay::connect(&options).await.unwrap();
    for _ in 0..10_000 {
        relay.send("a", Bytes::from_static(b"lost")).await;
    }
    relay.follow("a").await;
    relay.leave("a");
    let refused = Relay::check(&options).await.unwrap_err();
    assert!(matches!(refused, RelayError::NotConnected(_)), "{refused}");
}

#[tokio::test]
async fn what_is_too_long_is_not_sent() {
    let Some(server) = NatsServer::start(0, "") else {
        return;
    };
    let (mut one, mut two) = (relay(&server).await, relay(&server).await);
    two.follow("a").await;
    heard(&mut one, &mut two, "a", b"before").await;
    one.send("a", vec![0; MESSAGE_BYTES_MAX + 1].into()).await;
    one.send("a", vec![0; MESSAGE_BYTES_MAX].into()).await;
    loop {
        let (_, message) = two.next().await;
        if message != "before" {
            assert_eq!(message.len(), MESSAGE_BYTES_MAX);
            return;
        }
    }
}

const USERS: &str = "authorization { users = [
    { user: speaker, password: right }
    { user: mute, password: right, permissions: { publish: \"nothing\", subscribe: \">\" } }
] }";

#[tokio::test]
async fn who_may_not_speak_is_found_by_a_check_that_tells_no_secret() {
    let Some(server) = NatsServer::start(0, USERS) else {
        return;
    };
    let as_user = |user: &str, password: &str| {
        let (user, password) = (user.to_owned(), SecretText::new(password.to_owned()));
        server.options(Credential::Password { user, password })
    };
    Relay::check(&as_user("speaker", "right")).await.unwrap();
    for (user, password) in [("speaker", "wrong-word"), ("nobody", "wrong-word")] {
        let refused = Relay::check(&as_user(user, password)).await.unwrap_err();
        let told = format!("{refused} {refused:?}");
        assert!(told.to_lowercase().contains("auth"), "{told}");
        assert!(!told.contains("wrong-word"), "{told}");
    }
    let refused = Relay::check(&as_user("mute", "right")).await.unwrap_err();
    assert!(
        refused.to_string().contains("may this user publish"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_token_opens_a_server_that_asks_for_one() {
    let Some(server) = NatsServer::start(0, "authorization { token: right }") else {
        return;
    };
    let with = |token: &str| server.options(Credential::Token(SecretText::new(token.to_owned())));
    Relay::check(&with("right")).await.unwrap();
    Relay::check(&with("wrong")).await.unwrap_err();
    Relay::check(&server.options(Credential::None))
        .await
        .unwrap_err();
}

/// An authority, and a server of NATS with a certificate of it.
fn with_tls(folder: &Path) -> Option<NatsServer> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let write = |name: &str, text: String| {
        let file = folder.join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    write("ca.pem", authority.pem());
    let certificate = write("server.pem", certificate.pem());
    let key = write("server.key", key.serialize_pem());
    NatsServer::start(
        0,
        &format!("tls {{ cert_file: \"{certificate}\", key_file: \"{key}\" }}"),
    )
}

#[tokio::test]
async fn a_certificate_is_held_against_the_authority_that_was_named() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = with_tls(folder.path()) else {
        return;
    };
    let address = format!("tls://127.0.0.1:{}", server.port);
    let unknown = options(&address, Credential::None);
    let known = RelayOptions {
        ca_file: Some(folder.path().join("ca.pem")),
        ..unknown.clone()
    };
    Relay::check(&known).await.unwrap();
    Relay::check(&unknown).await.unwrap_err();
    // A server that speaks no TLS is not spoken to where TLS is demanded.
    let plain = NatsServer::start(0, "").unwrap();
    let address = format!("tls://127.0.0.1:{}", plain.port);
    Relay::check(&options(&address, Credential::None))
        .await
        .unwrap_err();
}
