//! Too much at once: who is refused, who is not, and what is held meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, stream};
use hostler_http::HttpOptions;
use serde_json::json;

use crate::harness::{Answer, add_key, add_workspace, options};
use crate::world::World;

const LARGE: usize = 100_000;

/// A body of which so much comes, and then nothing more. It counts itself when the rest is waited for.
fn unfinished(length: usize, waited_for: &Arc<AtomicUsize>) -> Body {
    let piece = Ok::<_, std::io::Error>(vec![b' '; length]);
    let count = Arc::clone(waited_for);
    let rest = stream::poll_fn(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Poll::Pending
    });
    Body::from_stream(stream::iter([piece]).chain(rest))
}

fn is_refused(answer: &Answer) -> bool {
    let (status, kind, _) = answer.failure();
    (status, &*kind) == (529, "overloaded_error") && answer.header("retry-after").is_some()
}

/// Requests whose bodies don't end, once the service waits for the rest of each.
async fn hold<'w>(world: &'w World, count: usize, length: usize) -> impl Sized + 'w {
    let waited_for = Arc::new(AtomicUsize::new(0));
    let mut held = FuturesUnordered::new();
    for _ in 0..count {
        let call = world.request("POST /v1/sessions");
        let body = unfinished(length, &waited_for);
        held.push(call.stream("application/json", body).open());
    }
    while waited_for.load(Ordering::SeqCst) < count {
        let answered: Option<Option<Response>> = held.next().now_or_never();
        assert!(answered.is_none(), "it was answered: {answered:?}");
        tokio::task::yield_now().await;
    }
    held
}

#[tokio::test]
async fn bodies_are_held_within_one_bound_and_given_back() {
    let world = World::with(HttpOptions {
        held_bytes_max: 5 * LARGE,
        ..options()
    })
    .await;
    let large = || json!({"title": "x".repeat(400), "metadata": {"pad": " ".repeat(LARGE)}});
    let held = hold(&world, 1, LARGE).await;
    assert!(is_refused(&world.create(large()).send().await));
    // What is short is always taken.
    world.create(json!({})).ok().await;
    drop(held);
    // Refused for what is in it, and not for its length.
    assert_eq!(world.create(large()).send().await.status, 400);
}

#[tokio::test]
async fn answers_that_nobody_takes_are_held_within_the_same_bound() {
    let world = World::with(HttpOptions {
        held_bytes_max: 8 * LARGE,
        ..options()
    })
    .await;
    let id = world.session().await;
    let text = "x".repeat(LARGE);
    let message = json!({"type": "user.message", "content": [{"type": "text", "text": text}]});
    let send = world.request(&format!("POST /v1/sessions/{id}/events"));
    send.json(json!({"events": [message]})).ok().await;
    let list = format!("GET /v1/sessions/{id}/events");
    let mut untaken = Vec::new();
    let refused = loop {
        let response = world.request(&list).open().await;
        match response.status() {
            StatusCode::OK => untaken.push(response),
            status => break status,
        }
        assert!(untaken.len() < 8, "more is held than may be");
    };
    assert_eq!(refused.as_u16(), 529);
    assert!(untaken.len() > 1);
    drop(untaken);
    world.request(&list).ok().await;
}

#[tokio::test]
async fn one_workspace_leaves_room_for_another() {
    let world = World::with(HttpOptions {
        requests_max: 8,
        streams_max: 8,
        ..options()
    })
    .await;
    let service = &world.service;
    let other = add_workspace(&service.store, &service.env).await;
    let (_, other) = add_key(&service.store, &service.env, other).await;
    let other = format!("Bearer {other}");
    let list = || world.request("GET /v1/sessions");
    let of_other = || list().header("authorization", &other);
    of_other().ok().await;
    let held = hold(&world, 6, 1).await;
    assert!(is_refused(&list().send().await));
    of_other().ok().await;
    drop(held);
    list().ok().await;

    let id = world.session().await;
    let stream = || world.request(&format!("GET /v1/sessions/{id}/events/stream"));
    let mut open = Vec::new();
    for _ in 0..6 {
        open.push(world.follow(stream()).await);
    }
    assert!(is_refused(&stream().send().await));
    drop(open);
    world.follow(stream()).await;
}

#[tokio::test]
async fn where_requests_come_faster_than_they_are_read_most_are_refused_unread() {
    let used = Arc::new(AtomicU64::new(0));
    let (clock, busy) = (Arc::clone(&used), Arc::new(AtomicU64::new(0)));
    let step = Arc::clone(&busy);
    let world = World::with(HttpOptions {
        // Each look at the clock says that so much was worked since the last.
        cpu_time: Arc::new(move || {
            let step = step.load(Ordering::SeqCst);
            Duration::from_millis(clock.fetch_add(step, Ordering::SeqCst))
        }),
        ..options()
    })
    .await;
    let create = || world.create(json!({}));
    let held = hold(&world, 8, 1).await;
    create().ok().await;
    busy.store(100, Ordering::SeqCst);
    // Once it has lasted for longer than a burst, the body is not even read.
    let wrong = || world.request("POST /v1/sessions").json(json!({}));
    let refused = loop {
        let answer = wrong().send().await;
        if answer.status != 400 {
            break answer;
        }
    };
    assert!(is_refused(&refused));
    let unread = world.request("POST /v1/sessions");
    let unread = unread.stream("application/json", unfinished(1, &Arc::default()));
    assert!(is_refused(&unread.send().await));
    // The processors have time again.
    busy.store(0, Ordering::SeqCst);
    while !create().send().await.status.is_success() {}
    drop(held);
}
