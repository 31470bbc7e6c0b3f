//! Leases: one holder at a time, take-over, and who is due.

use std::time::Duration;

use hostler_protocol::Timestamp;
use hostler_protocol::event::{Empty, Event, ModelFailed, SessionErrorKind, TokenUsage};

use hostler_protocol::event::{AgentToolResult, Seq};
use hostler_protocol::id::SessionId;
use hostler_store::{Claim, Lease};

use crate::session_folder::{SessionFolder, TTL};

#[tokio::test]
async fn one_holder_at_a_time() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let first = at.claim(id, "one").await.unwrap();
    assert!(at.claim(id, "two").await.is_none());

    at.store.release(&first).await.unwrap();
    let second = at.claim(id, "two").await.unwrap();
    assert_eq!(second.epoch.0, first.epoch.0 + 1);
    // A lease of yesterday gives nothing back.
    at.store.release(&first).await.unwrap();
    assert!(at.claim(id, "one").await.is_none());
    assert!(at.claim(at.env.id(), "one").await.is_none());
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_is_taken_over() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    at.claim(id, "one").await.unwrap();
    at.env.advance(TTL / 2);
    let renewed = at.store.renew_leases("one", at.env.now(), TTL).await;
    assert_eq!(renewed.unwrap(), [id]);
    at.env.advance(TTL / 2);
    assert!(at.claim(id, "two").await.is_none());
    at.env.advance(TTL / 2);
    assert_eq!(at.claim(id, "two").await.unwrap().epoch.0, 2);
    let renewed = at.store.renew_leases("one", at.env.now(), TTL).await;
    assert!(renewed.unwrap().is_empty(), "it is another's");
}

#[tokio::test]
async fn an_owner_that_claims_again_fences_itself() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    at.claim(id, "one").await.unwrap();
    assert_eq!(at.claim(id, "one").await.unwrap().epoch.0, 2);
}

#[tokio::test]
async fn a_dead_process_holds_nothing() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    at.claim(id, "dead").await.unwrap();
    at.store.free_leases_of("de").await.unwrap();
    assert!(at.claim(id, "new").await.is_some());
}

#[tokio::test]
async fn due_is_what_has_work_and_nobody_at_it() {
    let at = SessionFolder::new().await;
    let (idle, busy) = (at.session().await.id, at.session().await.id);
    at.env.advance(Duration::from_secs(1));
    let waiting = at.session().await.id;
    at.send(busy, &["hi"]).await;
    at.send(waiting, &["hi"]).await;
    at.claim(busy, "one").await.unwrap();
    at.claim(idle, "one").await.unwrap();
    let due = at.store.sessions_due(at.env.now(), 10).await.unwrap();
    assert_eq!(due, [waiting]);

    at.env.advance(TTL * 2);
    let due = at.store.sessions_due(at.env.now(), 10).await.unwrap();
    assert_eq!(due, [busy, waiting]);
    let due = at.store.sessions_due(at.env.now(), 1).await.unwrap();
    assert_eq!(due, [busy]);
}

#[tokio::test]
async fn the_supervisor_hears_of_work_that_came_before_the_release() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut dirty = at.store.take_dirty().unwrap();
    assert!(at.store.take_dirty().is_none(), "there is one supervisor");
    let lease = at.claim(id, "one").await.unwrap();
    at.store.release(&lease).await.unwrap();
    assert!(dirty.try_recv().is_err(), "there is nothing to do");

    let lease = at.claim(id, "one").await.unwrap();
    at.send(id, &["hi"]).await;
    assert_eq!(dirty.try_recv(), Ok(id));
    at.store.release(&lease).await.unwrap();
    assert_eq!(dirty.try_recv(), Ok(id));
}

#[tokio::test]
async fn work_for_later_is_left_to_the_sweep() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let lease = at.claim(id, "one").await.unwrap();
    let retry_at = at.env.now().plus(Duration::from_secs(10));
    let failed = Event::ModelFailed(ModelFailed {
        model_request_start_id: at.env.id(),
        error: SessionErrorKind::UnknownError,
        message: "later".into(),
        retry_at: Some(retry_at),
        context_too_long: false,
        rejected: false,
        usage: TokenUsage::default(),
        cost_nano_dollars: 0,
    });
    let rescheduled = Event::SessionStatusRescheduled(Empty {});
    at.record(id, vec![failed, rescheduled]).await;
    let mut dirty = at.store.take_dirty().unwrap();
    while dirty.try_recv().is_ok() {}
    at.store.release(&lease).await.unwrap();
    assert!(dirty.try_recv().is_err(), "it would spin until then");
    let due = at.store.sessions_due(at.env.now(), 10).await.unwrap();
    assert!(due.is_empty());
    let due = at.store.sessions_due(retry_at, 10).await.unwrap();
    assert_eq!(due, [id]);
    // By a clock that was set back, as a running session is: nobody knows when it will say so again.
    let running = at.session().await.id;
    at.send(running, &["hi"]).await;
    let hours_ago = Timestamp::from_micros(at.env.now().as_micros() - 6 * 3_600_000_000);
    let due = at.store.sessions_due(hours_ago, 10).await.unwrap();
    assert_eq!(due, [running, id]);
    let due = at.store.sessions_due(hours_ago, 1).await.unwrap();
    assert_eq!(due, [running]);
}

#[tokio::test]
async fn a_lease_is_given_back_without_its_epoch_by_its_owner_only() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut dirty = at.store.take_dirty().unwrap();
    at.claim(id, "one").await.unwrap();
    at.send(id, &["hi"]).await;
    assert_eq!(dirty.try_recv(), Ok(id));
    assert!(!at.store.release_stray(id, "two").await.unwrap());
    assert!(at.claim(id, "two").await.is_none());

    assert!(at.store.release_stray(id, "one").await.unwrap());
    assert_eq!(dirty.try_recv(), Ok(id), "there is something to do");
    assert!(at.claim(id, "two").await.is_some());
    assert!(!at.store.release_stray(id, "one").await.unwrap());
}

/// Each holder's process dies: nothing is given back.
async fn takes(at: &SessionFolder, id: SessionId, times: u32) -> Lease {
    let mut taken = None;
    for _ in 0..times {
        at.store.free_leases_of("").await.unwrap();
        taken = at.claim(id, "one").await;
    }
    taken.unwrap()
}

#[tokio::test]
async fn takes_without_progress_are_counted_and_make_a_suspect() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    assert_eq!(takes(&at, id, 3).await.takes, 3);
    at.store.free_leases_of("").await.unwrap();
    let claim = at.store.claim(id, "one", at.env.now(), TTL, 3).await;
    assert!(
        matches!(claim, Ok(Claim::Suspect { takes: 3 })),
        "{claim:?}"
    );
    let other = at.store.claim(at.env.id(), "one", at.env.now(), TTL, 3);
    assert!(matches!(other.await, Ok(Claim::NotFree)), "it isn't there");
    // What a client sends and what marks an attempt is no progress.
    at.send(id, &["hi"]).await;
    let lease = takes(&at, id, 1).await;
    let start = at.draft(Event::ModelRequestStart(Empty {}));
    let last = at.row(id).await.last_seq;
    at.store.append(&lease, last, vec![start]).await.unwrap();
    assert_eq!(takes(&at, id, 1).await.takes, 5);
}

#[tokio::test]
async fn progress_and_a_return_in_order_clear_the_count() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let lease = takes(&at, id, 4).await;
    let result = Event::AgentToolResult(AgentToolResult {
        tool_use_id: at.env.id(),
        content: Vec::new(),
        is_error: false,
    });
    at.store
        .append(&lease, Seq(1), vec![at.draft(result)])
        .await
        .unwrap();
    assert_eq!(takes(&at, id, 1).await.takes, 1);

    at.store.release(&takes(&at, id, 2).await).await.unwrap();
    assert_eq!(takes(&at, id, 2).await.takes, 2);
    at.store.give_back_all("one").await.unwrap();
    assert_eq!(at.claim(id, "two").await.unwrap().takes, 1);

    let lease = takes(&at, id, 5).await;
    at.store.pardon(&lease).await.unwrap();
    assert_eq!(takes(&at, id, 1).await.takes, 1);
}
