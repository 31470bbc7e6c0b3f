//! A session with a long past: its runner begins at a snapshot, and nobody can tell.

use std::time::Duration;

use hostler_domain::session::{Input, SNAPSHOT_FORMAT};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{Seq, UserMessage};
use hostler_protocol::id::SessionId;
use hostler_store::{NewSnapshot, StoreOptions};
use hostler_testkit::Reply;
use metrics_exporter_prometheus::PrometheusBuilder;

use super::world::World;

const TURNS: usize = 36;
const MESSAGES_OF_TURN: usize = 12;
/// Between two snapshots, and what a turn may add to them.
const ROWS_MAX: usize = 512 + 64;

/// Some messages, and the end of their turn.
async fn turn(world: &World, session: SessionId, text: &str, mut last: Seq) -> Seq {
    let mut wakes = world.store.wakes(session);
    let message = || UserMessage {
        content: vec![ContentBlock::text(text)],
    };
    let messages = std::iter::repeat_with(message).take(MESSAGES_OF_TURN);
    let inputs = messages.map(Input::Message).collect();
    world.send(session, inputs).await;
    loop {
        for row in world.store.read_log(session, last, 100).await.unwrap() {
            last = row.seq;
            if row.event.name() == "session.status_idle" {
                return last;
            }
        }
        wakes.changed(last).await;
    }
}

/// A session that has had [`TURNS`] turns and no runner.
async fn long_session(world: &World) -> (SessionId, Seq) {
    world.model.otherwise(|_| Reply::text("An answer."));
    let session = world.session().await;
    let engine = world.engine().await;
    let mut last = Seq::default();
    for number in 0..TURNS {
        last = turn(world, session, &format!("Question {number}?"), last).await;
    }
    engine.drain().await;
    (session, last)
}

/// Wakes the session up, and answers how many rows that took.
async fn rows_of_a_wake_up(world: &mut World, session: SessionId, last: Seq) -> usize {
    let recorder = PrometheusBuilder::new().build_recorder();
    let measured = recorder.handle();
    let _measuring = metrics::set_default_local_recorder(&recorder);
    world.reopen(StoreOptions::default());
    let engine = world.engine().await;
    turn(world, session, "And now?", last).await;
    engine.drain().await;
    let rendered = measured.render();
    let name = "hostler_log_rows_folded_total ";
    let count = rendered.lines().find_map(|line| line.strip_prefix(name));
    count.expect("rows were folded").parse().unwrap()
}

/// The conversation as the model was shown it last.
fn shown_last(world: &World) -> Vec<serde_json::Value> {
    let requests = world.model.requests();
    requests.last().expect("the model was asked").messages()
}

#[tokio::test]
async fn a_long_session_wakes_up_at_its_snapshot() {
    let mut world = World::new().await.with_rest(Duration::from_secs(600));
    let (session, last) = long_session(&world).await;
    let before = shown_last(&world);
    let opened = world.store.open_log(session, SNAPSHOT_FORMAT, 10_000);
    let opened = opened.await.unwrap();
    assert!(opened.snapshot.is_some() && opened.rows.len() < ROWS_MAX);

    let folded = rows_of_a_wake_up(&mut world, session, last).await;
    assert!(folded < ROWS_MAX, "{folded} of {} rows", last.0);
    let shown = shown_last(&world);
    assert_eq!(shown.len(), 2 * TURNS + 1);
    // But for the mark of its cache, which goes with the newest message.
    assert_eq!(shown[..before.len() - 1], before[..before.len() - 1]);
}

#[tokio::test]
async fn a_snapshot_of_no_use_costs_nothing_but_time() {
    let mut world = World::new().await.with_rest(Duration::from_secs(600));
    let (session, last) = long_session(&world).await;
    let spoilt = NewSnapshot {
        format: SNAPSHOT_FORMAT,
        seq: last,
        body: "{}".to_owned(),
        texts_from: 0,
        texts: Vec::new(),
    };
    world.store.keep_snapshot(session, spoilt).await.unwrap();
    let folded = rows_of_a_wake_up(&mut world, session, last).await;
    assert!(folded as i64 > last.0, "{folded}");
    assert_eq!(shown_last(&world).len(), 2 * TURNS + 1);
}
