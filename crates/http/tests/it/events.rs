//! The log from outside: what is sent is stored, and listed in its order.

use serde_json::{Value, json};

use crate::world::World;

fn message(text: &str) -> Value {
    json!({"type": "user.message", "content": [{"type": "text", "text": text}]})
}

#[tokio::test]
async fn sent_events_come_back_as_stored() {
    let world = World::new().await;
    let id = world.session().await;
    let events = json!({"events": [{"type": "user.interrupt"}, message("hello")]});
    let send = world.request(&format!("POST /v1/sessions/{id}/events"));
    let sent = send.json(events).ok().await;
    let sent = sent["data"].as_array().unwrap().clone();
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0]["type"], "user.interrupt");
    assert_eq!(sent[1]["content"][0]["text"], "hello");
    assert!(sent.iter().all(|event| event["processed_at"].is_null()));
    let listed = world
        .request(&format!("GET /v1/sessions/{id}/events"))
        .ok()
        .await;
    let listed = listed["data"].as_array().unwrap();
    assert_eq!(listed[listed.len() - 2..], sent[..]);
    let session = world.request(&format!("GET /v1/sessions/{id}")).ok().await;
    assert_eq!(session["status"], "running");
}

#[tokio::test]
async fn a_refused_event_refuses_the_request() {
    let world = World::new().await;
    let id = world.session().await;
    let file: hostler_protocol::id::FileId = world.service.env.id();
    let call: hostler_protocol::id::EventId = world.service.env.id();
    let image = json!({"type": "image", "source": {"type": "file", "file_id": file}});
    for (event, place) in [
        (json!({"type": "user.shout"}), "events.1.type"),
        (
            json!({"type": "user.message"}),
            "events.1.content: Field required",
        ),
        (
            json!({"type": "system.message"}),
            "events.1.content: Field required",
        ),
        (
            json!({"type": "user.define_outcome"}),
            "events.1.type: user.define_outcome is not supported",
        ),
        (
            json!({"type": "user.tool_confirmation", "tool_use_id": call, "result": "allow"}),
            "events.1.tool_use_id: no tool call of this session has this id",
        ),
        (
            json!({"type": "user.message", "content": [image]}),
            "events.1.content.0.source.file_id: no such file",
        ),
    ] {
        let send = world.request(&format!("POST /v1/sessions/{id}/events"));
        let answer = send
            .json(json!({"events": [message("x"), event]}))
            .send()
            .await;
        let (status, _, text) = answer.failure();
        assert_eq!(status, 400);
        assert!(text.starts_with(place), "{text}");
    }
    let listed = world
        .request(&format!("GET /v1/sessions/{id}/events"))
        .ok()
        .await;
    assert_eq!(listed, json!({"data": [], "next_page": null}));
}

#[tokio::test]
async fn the_list_pages_filters_and_turns() {
    let world = World::new().await;
    let id = world.session().await;
    for title in ["a", "b", "c"] {
        world.rename(&id, title).await;
    }
    let send = world.request(&format!("POST /v1/sessions/{id}/events"));
    send.json(json!({"events": [message("one"), message("two")]}))
        .ok()
        .await;
    let get = |query: &str| {
        world
            .request(&format!("GET /v1/sessions/{id}/events?{query}"))
            .ok()
    };
    let everything = get("").await["data"].as_array().unwrap().clone();
    assert_eq!(everything.len(), 7);
    for order in ["asc", "desc"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = get(&format!("limit=2&order={order}{cursor}")).await;
            seen.extend(page["data"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_page"].as_str() else {
                break;
            };
            cursor = format!("&page={next}");
        }
        if order == "desc" {
            seen.reverse();
        }
        assert_eq!(seen, everything, "{order}");
    }
    let updates = get("types[]=session.updated&limit=100000").await;
    assert_eq!(updates["data"].as_array().unwrap().len(), 3);
    for bad in [
        "types[]=session.deleted",
        "limit=0",
        "order=up",
        "page=page_AAAA",
        "created_at[gt]=1",
    ] {
        let call = world.request(&format!("GET /v1/sessions/{id}/events?{bad}"));
        assert_eq!(call.send().await.failure().0, 400, "{bad}");
    }
    let resources = world
        .request(&format!("GET /v1/sessions/{id}/resources"))
        .ok()
        .await;
    assert_eq!(resources, json!({"data": [], "next_page": null}));
}
