//! The list of events: order, pages, filters, and inputs that wait.

use std::time::Duration;

use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{AgentMessage, Empty, Event, Seq};
use hostler_store::{EventQuery, From, Order, TimeRange};
use serde_json::Value;

use crate::session_folder::{SessionFolder, names, next_event, query};

#[tokio::test]
async fn an_input_waits_at_the_end_and_then_has_its_place() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut follow = at.follow(id, From::Now).await;
    let sent = at.send(id, &["hi"]).await;
    let before = at.list(id, query(Order::Ascending, 100)).await;
    let running = "session.status_running";
    let thread_running = "session.thread_status_running";
    assert_eq!(names(&before), [running, thread_running, "user.message"]);
    let waiting: Value = serde_json::from_str(&before[2].json).unwrap();
    assert_eq!(before[2].seq, None);
    assert_eq!(waiting["processed_at"], Value::Null);
    assert_eq!(waiting["content"][0]["text"], "hi");

    at.env.advance(Duration::from_secs(1));
    at.process(id, sent.first_seq).await;
    at.record(id, vec![Event::AgentThinking(Empty {})]).await;
    let after = at.list(id, query(Order::Ascending, 100)).await;
    let in_order = [running, thread_running, "user.message", "agent.thinking"];
    assert_eq!(names(&after), in_order);
    let done: Value = serde_json::from_str(&after[2].json).unwrap();
    assert_eq!(done["id"], waiting["id"]);
    assert_eq!(done["content"], waiting["content"]);
    assert_eq!(done["processed_at"], at.env.now().to_string());
    for event in &after {
        assert_eq!(next_event(&mut follow).await, *event);
    }
}

/// Three rows of the log that are public, and three inputs that wait.
async fn mixed(at: &SessionFolder) -> hostler_protocol::id::SessionId {
    let id = at.session().await.id;
    at.send(id, &["one", "two", "three"]).await;
    at.record(id, vec![Event::AgentThinking(Empty {})]).await;
    id
}

#[tokio::test]
async fn pages_meet_in_both_orders() {
    let at = SessionFolder::new().await;
    let id = mixed(&at).await;
    let all = at.list(id, query(Order::Ascending, 100)).await;
    assert_eq!(all.iter().filter(|event| event.seq.is_none()).count(), 3);
    assert_eq!(all.len(), 6);
    let backwards: Vec<_> = all.iter().rev().cloned().collect();
    for limit in 1..=7 {
        let paged = at.list(id, query(Order::Ascending, limit)).await;
        assert_eq!(paged, all, "in pages of {limit}");
        let paged = at.list(id, query(Order::Descending, limit)).await;
        assert_eq!(paged, backwards, "in pages of {limit}");
    }
}

#[tokio::test]
async fn what_is_processed_between_two_pages_is_not_lost() {
    let at = SessionFolder::new().await;
    for order in [Order::Ascending, Order::Descending] {
        let id = mixed(&at).await;
        for limit in 1..=4 {
            let first = at.page(id, query(order, limit)).await;
            let summary = at.row(id).await.summary;
            if let Some(seq) = summary.queued.first() {
                at.process(id, *seq).await;
            }
            let rest = EventQuery {
                cursor: first.next,
                ..query(order, 100)
            };
            let rest = at.page(id, rest).await;
            let mut ids: Vec<_> = first.data.iter().chain(&rest.data).map(|e| &e.id).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), 6, "{order:?} in pages of {limit}");
        }
    }
}

#[tokio::test]
async fn filters_by_type_and_time() {
    let at = SessionFolder::new().await;
    let id = mixed(&at).await;
    let typed = |types: &[&str], order| EventQuery {
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        ..query(order, 1)
    };
    let found = at
        .list(id, typed(&["user.message"], Order::Descending))
        .await;
    assert_eq!(names(&found), ["user.message"; 3]);
    let wanted = ["agent.thinking", "session.status_running"];
    let found = at.list(id, typed(&wanted, Order::Descending)).await;
    assert_eq!(names(&found), wanted);
    // An underscore stands for itself, and nothing of an inner kind is shown.
    for never in [
        "session.statusXrunning",
        "hostler.session_created",
        "user.message,agent.thinking",
        "%",
        "",
    ] {
        let found = at.list(id, typed(&[never], Order::Ascending)).await;
        assert!(found.is_empty(), "{never}");
    }

    let start = at.env.now();
    at.env.advance(Duration::from_secs(10));
    at.record(id, vec![Event::AgentThinking(Empty {})]).await;
    let during = |created_at| EventQuery {
        created_at,
        ..query(Order::Ascending, 100)
    };
    let later = TimeRange {
        gt: Some(start),
        ..TimeRange::default()
    };
    let found = at.list(id, during(later)).await;
    assert_eq!(names(&found), ["agent.thinking"]);
    let until = TimeRange {
        lte: Some(start),
        ..TimeRange::default()
    };
    let found = at.list(id, during(until)).await;
    assert_eq!(found.len(), 3, "what waits is outside any bounds");
}

#[tokio::test]
async fn long_events_make_short_pages() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    for _ in 0..3 {
        let content = vec![ContentBlock::text("x".repeat(5 * 1024 * 1024))];
        at.record(id, vec![Event::AgentMessage(AgentMessage { content })])
            .await;
    }
    let page = at.page(id, query(Order::Ascending, 100)).await;
    assert_eq!(page.data.len(), 1);
    assert_eq!(at.list(id, query(Order::Ascending, 100)).await.len(), 3);
    let mut follow = at.follow(id, From::After(Seq(0))).await;
    for _ in 0..3 {
        next_event(&mut follow).await;
    }
}

#[tokio::test]
async fn another_workspace_sees_nothing() {
    let at = SessionFolder::new().await;
    let id = mixed(&at).await;
    let stranger = at.env.id();
    let page = at
        .store
        .list_events(stranger, id, query(Order::Ascending, 1));
    assert!(page.await.unwrap().is_none());
    let follow = at.store.follow(stranger, id, From::Now).await;
    assert!(follow.unwrap().is_none());
    assert!(!at.store.has_followers(id));
}
