//! Event streams: live, resumed, previewed, and ended with their session.

use hostler_protocol::event::Seq;
use hostler_protocol::id::{EventId, SessionId};
use hostler_store::{Preview, PreviewOf};
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_stream_begins_when_it_is_opened() {
    let world = World::new().await;
    let id = world.session().await;
    world.rename(&id, "before").await;
    let stream = format!("GET /v1/sessions/{id}/events/stream");
    let mut live = world.follow(world.request(&stream)).await;
    world.rename(&id, "after").await;
    let frame = live.next().await.unwrap();
    assert_eq!(frame.event, "session.updated");
    assert_eq!(frame.data["title"], "after");
    let listed = world.request(&format!("GET /v1/sessions/{id}/events?order=desc&limit=1"));
    assert_eq!(listed.ok().await["data"][0], frame.data);
}

#[tokio::test]
async fn a_stream_resumes_behind_any_event_without_a_gap() {
    let world = World::new().await;
    let id = world.session().await;
    let stream = format!("GET /v1/sessions/{id}/events/stream");
    for title in ["a", "b", "c", "d"] {
        world.rename(&id, title).await;
    }
    let from_start = world.request(&format!("{stream}?after=0"));
    let whole = world.follow(from_start).await.take(4).await;
    for (position, frame) in whole.iter().enumerate() {
        let seq = frame.id.unwrap().to_string();
        world.rename(&id, &format!("later {position}")).await;
        let rest = whole.len() - position - 1;
        let by_header = world.request(&stream).header("last-event-id", &seq);
        let by_query = world.request(&format!("{stream}?after={seq}"));
        for call in [by_header, by_query] {
            let frames = world.follow(call).await.take(rest + 1).await;
            assert_eq!(frames[..rest], whole[position + 1..]);
            assert_eq!(frames[rest].data["title"], "later 0");
        }
    }
    for bad in ["?after=sevt_x", "?after=-1", "?after="] {
        let call = world.request(&format!("{stream}{bad}"));
        assert_eq!(call.send().await.failure().0, 400, "{bad}");
    }
}

#[tokio::test]
async fn previews_come_to_those_who_ask() {
    let world = World::new().await;
    let id = world.session().await;
    let stream = format!("GET /v1/sessions/{id}/events/stream");
    let eager = world.request(&format!("{stream}?event_deltas[]=agent.message"));
    let mut eager = world.follow(eager).await;
    let mut plain = world.follow(world.request(&stream)).await;
    let session: SessionId = id.parse().unwrap();
    let event_id: EventId = world.service.env.id();
    let start = Preview::start(PreviewOf::AgentMessage, event_id, Seq(1));
    for preview in [start.clone(), start.piece_of(1, 0, "Hi")] {
        world.service.store.preview(session, preview);
    }
    let frames = eager.take(2).await;
    assert_eq!(frames[0].event, "event_start");
    let delta = json!({
        "type": "event_delta",
        "event_id": event_id,
        "delta": {"type": "content_delta", "index": 0, "content": {"type": "text", "text": "Hi"}},
    });
    assert_eq!(frames[1].data, delta);
    assert!(frames.iter().all(|frame| frame.id.is_none()));
    world.rename(&id, "x").await;
    assert_eq!(plain.next().await.unwrap().event, "session.updated");
    for bad in [
        "event_deltas[]=agent.tool_use".to_owned(),
        "event_deltas[]=agent.message&".repeat(101),
    ] {
        let call = world.request(&format!("{stream}?{bad}"));
        assert_eq!(call.send().await.failure().0, 400);
    }
}

#[tokio::test]
async fn archiving_ends_a_stream_and_a_late_one_learns_why() {
    let world = World::new().await;
    let id = world.session().await;
    let stream = format!("GET /v1/sessions/{id}/events/stream");
    let mut early = world.follow(world.request(&stream)).await;
    world
        .request(&format!("POST /v1/sessions/{id}/archive"))
        .ok()
        .await;
    let last = early.take(2).await.pop().unwrap();
    assert_eq!(last.event, "session.status_terminated");
    assert_eq!(early.next().await, None);
    let mut late = world.follow(world.request(&stream)).await;
    assert_eq!(late.next().await.unwrap(), last);
    assert_eq!(late.next().await, None);
}

#[tokio::test]
async fn deleting_ends_a_stream() {
    let world = World::new().await;
    let id = world.session().await;
    let stream = format!("GET /v1/sessions/{id}/events/stream");
    let mut open = world.follow(world.request(&stream)).await;
    world
        .request(&format!("DELETE /v1/sessions/{id}"))
        .ok()
        .await;
    let last = open.next().await.unwrap();
    assert_eq!(last.event, "session.deleted");
    assert_eq!(last.data["type"], "session.deleted");
    assert_eq!(open.next().await, None);
}
