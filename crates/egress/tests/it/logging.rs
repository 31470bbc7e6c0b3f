//! What is written about decisions: who, where and why, and never what.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::wire::ask;
use crate::world::World;

/// All lines of one test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Until the guard is dropped, for the thread of this test, on which all of it runs.
fn listen() -> (Lines, tracing::subscriber::DefaultGuard) {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(lines.clone())
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .finish();
    (lines, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn decisions_are_logged_without_content() {
    let (lines, _guard) = listen();
    let world = World::limited().await;
    let host = world.authority();
    for host in [host.as_str(), "evil.example"] {
        let sent = format!(
            "POST http://{host}/secret-path?secret=query HTTP/1.1\r\nHost: {host}\r\n\
             Authorization: secret-header\r\nContent-Length: 11\r\n\r\nsecret-body"
        );
        ask(world.proxy, sent).await.unwrap();
    }
    let text = lines.text();
    let line = |word: &str| text.lines().find(|line| line.contains(word)).unwrap_or("");
    let (allowed, refused) = (line("decision=\"allowed\""), line("decision=\"refused\""));
    assert!(
        allowed.contains("DEBUG") && allowed.contains("sandbox=\"test\""),
        "{text}"
    );
    assert!(allowed.contains("host=allowed.example"), "{text}");
    assert!(
        refused.contains("INFO") && refused.contains("evil.example"),
        "{text}"
    );
    assert!(
        refused.contains("reason=\"not_in_allowed_hosts\""),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn what_a_client_writes_does_not_steer_the_log() {
    let (lines, _guard) = listen();
    let world = World::limited().await;
    for host in [
        "a\u{1b}[2Jb",
        "evil\u{9b}31m.example",
        "a\u{202e}b",
        &"x".repeat(5000),
    ] {
        ask(
            world.proxy,
            format!("GET http://allowed.example/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        )
        .await;
    }
    let text = lines.text();
    assert!(text.lines().count() >= 3, "{text}");
    assert!(
        text.chars()
            .all(|c| c == '\n' || c == ' ' || c.is_ascii_graphic()),
        "{text:?}"
    );
    assert!(text.lines().all(|line| line.len() < 500), "{text}");
}

#[tokio::test]
async fn a_flood_of_refusals_is_a_few_lines() {
    let (lines, _guard) = listen();
    let world = World::limited().await;
    for _ in 0..300 {
        let sent = "CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n";
        assert_eq!(ask(world.proxy, sent).await.unwrap().status, 403);
    }
    assert_eq!(world.usage().refused, 300, "all are counted");
    let logged = lines
        .text()
        .lines()
        .filter(|l| l.contains("refused"))
        .count();
    assert!((20..200).contains(&logged), "{logged}");
}
