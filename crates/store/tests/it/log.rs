//! The log: positions, fences, and the session's row beside it.

use std::time::Duration;

use futures::FutureExt;
use hostler_domain::Env;
use hostler_domain::session::{Refusal, State, Summary};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{
    AgentMessage, Empty, Event, ModelFailed, ModelResponse, ModelStop, Seq, SessionErrorKind,
    SessionUpdated, TokenUsage, UserInterrupt, UserMessage,
};
use hostler_store::{AppendError, From, Lease, Order, Store, StoreOptions, WakeUps, Wanted};
use tokio::task::JoinSet;

use crate::session_folder::{
    SessionFolder, agent, all_events, draft, idle, processed, query, refolded, send,
};

const WRITERS: usize = 4;
const MESSAGES: usize = 20;
const FOLLOWERS: usize = 21;
const RUNNER_APPENDS: usize = 30;

pub(crate) fn agent_message(text: &str) -> Event {
    Event::AgentMessage(AgentMessage {
        content: vec![ContentBlock::text(text)],
    })
}

/// Takes queued inputs one by one and answers each, as a runner would.
async fn run(store: Store, env: Env, lease: Lease) {
    let mut last = Seq(0);
    let mut queued = Vec::new();
    let mut appends = 0;
    while appends < RUNNER_APPENDS {
        for recorded in store.read_log(lease.session, last, 100).await.unwrap() {
            last = recorded.seq;
            if matches!(recorded.event, Event::UserMessage(_)) {
                queued.push(recorded);
            }
        }
        let mut events = vec![agent_message("working")];
        events.extend(queued.first().map(processed));
        let count = events.len();
        let drafts = events.into_iter().map(|event| draft(&env, event)).collect();
        match store.append(&lease, last, drafts).await {
            Ok(()) => {
                last = Seq(last.0 + i64::try_from(count).unwrap());
                queued = queued.split_off(queued.len().min(count - 1));
                appends += 1;
            }
            Err(AppendError::Moved) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn everybody_sees_the_same_log(options: StoreOptions) {
    let at = SessionFolder::with(options).await;
    let session = at.session().await;
    let mut tasks = JoinSet::new();
    for _ in 0..WRITERS {
        let (store, env) = (at.store.clone(), at.env.clone());
        tasks.spawn(async move {
            for _ in 0..MESSAGES {
                send(&store, &env, session.workspace_id, session.id, &["hi"]).await;
            }
        });
    }
    let lease = at.claim(session.id, "runner").await.unwrap();
    tasks.spawn(run(at.store.clone(), at.env.clone(), lease));
    // Each follower joins a little later than the one before it.
    let mut follows = JoinSet::new();
    let mut early = at.follow(session.id, From::After(Seq(0))).await;
    for _ in 1..FOLLOWERS {
        let mut late = at.follow(session.id, From::After(Seq(0))).await;
        follows.spawn(async move { all_events(&mut late).await });
    }
    follows.spawn(async move { all_events(&mut early).await });
    tasks.join_all().await;
    at.terminate(session.id).await;

    let seen = follows.join_all().await;
    assert_eq!(seen.len(), FOLLOWERS);
    let listed = at.list(session.id, query(Order::Ascending, 7)).await;
    let (public, queued): (Vec<_>, Vec<_>) = listed.into_iter().partition(|e| e.seq.is_some());
    for events in &seen {
        assert_eq!(*events, public);
    }
    let summary = at.row(session.id).await.summary;
    assert_eq!(queued.len(), summary.queued.len());
    assert_eq!(refolded(&at.store, session.id).await, summary);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn all_followers_of_many_writers_see_the_same_log() {
    everybody_sees_the_same_log(StoreOptions::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_wake_ups_they_see_it_too() {
    let options = StoreOptions {
        wake_ups: WakeUps::Off,
        look_interval: Duration::from_millis(10),
        ..StoreOptions::default()
    };
    everybody_sees_the_same_log(options).await;
}

#[tokio::test]
async fn a_runner_appends_where_the_log_ends_and_nowhere_else() {
    let at = SessionFolder::new().await;
    let session = at.session().await;
    let lease = at.claim(session.id, "one").await.unwrap();
    let working = || vec![at.draft(agent_message("working"))];
    let appended = at.store.append(&lease, Seq(1), working()).await;
    appended.unwrap();

    at.send(session.id, &["hi"]).await;
    let before = at.row(session.id).await;
    let moved = at.store.append(&lease, Seq(2), working()).await;
    assert!(matches!(moved, Err(AppendError::Moved)));
    let ahead = at.store.append(&lease, Seq(99), working()).await;
    assert!(matches!(ahead, Err(AppendError::Moved)));
    assert_eq!(at.row(session.id).await, before, "nothing was written");
    let appended = at.store.append(&lease, before.last_seq, working()).await;
    appended.unwrap();

    let log = at.store.read_log(session.id, Seq(0), 100).await.unwrap();
    let epochs: Vec<i64> = log.iter().map(|row| row.epoch.0).collect();
    assert_eq!(epochs, [0, 1, 0, 0, 0, 1]);
}

#[tokio::test]
async fn a_runner_in_a_step_is_told_of_interrupts_and_not_of_messages() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let mut wakes = at.store.wakes(id);
    let send = |event: Event| {
        let drafts = vec![at.draft(event)];
        let decide = |_: &Summary| Ok::<_, Refusal>(drafts);
        let place = at.store.enter(Wanted::Changes, at.workspace).unwrap();
        at.store.send_to_session(place, at.workspace, id, decide)
    };
    let message = || {
        let content = vec![ContentBlock::text("hi")];
        Event::UserMessage(UserMessage { content })
    };
    let interrupt = || Event::UserInterrupt(UserInterrupt::default());
    let mut told_in_vain = 0;
    for known in [1, 2] {
        send(message()).await.unwrap();
        told_in_vain += usize::from(wakes.broken_in(Seq(known)).now_or_never().is_some());
    }
    wakes.changed(Seq(1)).now_or_never().expect("it is there");
    send(interrupt()).await.unwrap();
    wakes.broken_in(Seq(3)).now_or_never().expect("it is told");
    // Whoever has read it need not look again.
    for known in [5, 6] {
        send(interrupt()).await.unwrap();
        told_in_vain += usize::from(wakes.broken_in(Seq(known)).now_or_never().is_some());
    }
    // The listener of a shared database tells everybody once, when it has come up.
    assert!(told_in_vain <= 1, "{told_in_vain}");
}

#[tokio::test]
async fn whoever_lost_the_lease_appends_nothing() {
    let at = SessionFolder::new().await;
    let session = at.session().await;
    let old = at.claim(session.id, "one").await.unwrap();
    at.env.advance(Duration::from_secs(60));
    let new = at.claim(session.id, "two").await.unwrap();
    let working = || vec![at.draft(agent_message("working"))];
    let lost = at.store.append(&old, Seq(1), working()).await;
    assert!(matches!(lost, Err(AppendError::LostLease)));
    at.store.append(&new, Seq(1), working()).await.unwrap();
    let lost = at.store.append(&old, Seq(2), working()).await;
    assert!(matches!(lost, Err(AppendError::LostLease)));

    at.store.release(&new).await.unwrap();
    let lost = at.store.append(&new, Seq(2), working()).await;
    assert!(matches!(lost, Err(AppendError::LostLease)));

    let (id, at_id) = (session.id, at.env.id());
    let now = at.env.now();
    let deleted = at
        .store
        .delete_session(at.workspace, id, at_id, now, |_| Ok::<_, ()>(()));
    deleted.await.unwrap();
    let gone = at.store.append(&new, Seq(2), working()).await;
    assert!(matches!(gone, Err(AppendError::NoSuchSession)));
    assert!(at.store.read_log(id, Seq(0), 10).await.unwrap().is_empty());
}

/// Events of all kinds that the row follows from, in no sensible order.
fn any_event(at: &SessionFolder, log: &[hostler_protocol::event::Recorded]) -> Event {
    let id = at.env.id();
    let usage = TokenUsage {
        input_tokens: 7,
        output_tokens: 5,
        ..TokenUsage::default()
    };
    #[expect(clippy::cast_possible_truncation, reason = "a choice between ten")]
    let choice = (at.env.jitter() * 9.99) as u8;
    match choice {
        0 => Event::UserInterrupt(UserInterrupt::default()),
        1 => Event::UserMessage(UserMessage {
            content: vec![ContentBlock::text("hi\n")],
        }),
        2 => log
            .iter()
            .find(|row| matches!(row.event, Event::UserMessage(_)))
            .map_or_else(|| agent_message("none"), processed),
        3 => Event::SessionStatusRunning(Empty {}),
        4 => idle(),
        5 => Event::SessionStatusRescheduled(Empty {}),
        6 => Event::ModelResponse(ModelResponse {
            model_request_start_id: id,
            based_on: Seq(1),
            blocks: Vec::new(),
            tool_uses: Vec::new(),
            stop: ModelStop::EndTurn,
            usage,
            cost_nano_dollars: 3,
        }),
        7 => Event::ModelFailed(ModelFailed {
            model_request_start_id: id,
            error: SessionErrorKind::UnknownError,
            message: "no".into(),
            retry_at: Some(at.env.now()),
            context_too_long: false,
            rejected: false,
            usage,
            cost_nano_dollars: 3,
        }),
        8 => Event::SessionUpdated(SessionUpdated {
            agent: Some(Box::new(agent(&at.env, "b"))),
            ..SessionUpdated::default()
        }),
        _ => agent_message("hi"),
    }
}

#[tokio::test]
async fn the_row_says_what_the_log_amounts_to() {
    let at = SessionFolder::new().await;
    for _ in 0..20 {
        let session = at.session().await;
        let lease = at.claim(session.id, "runner").await.unwrap();
        for round in 1..15 {
            at.env.advance(Duration::from_millis(round));
            let log = at.store.read_log(session.id, Seq(0), 100).await.unwrap();
            let events = (0..round % 4).map(|_| any_event(&at, &log));
            let events: Vec<Event> = events.collect();
            if round % 2 == 0 {
                at.record(session.id, events).await;
            } else {
                let drafts = events.into_iter().map(|event| at.draft(event)).collect();
                let last = log.last().unwrap().seq;
                at.store.append(&lease, last, drafts).await.unwrap();
            }
        }
        let row = at.row(session.id).await;
        assert_eq!(row.summary, refolded(&at.store, session.id).await);
        let brief = at.store.session_brief(session.id).await.unwrap().unwrap();
        assert_eq!((brief.summary, brief.last_seq), (row.summary, row.last_seq));
        let log = at.store.read_log(session.id, Seq(0), 100).await.unwrap();
        let mut state = State::new(&log[0]);
        log[1..].iter().for_each(|recorded| state.apply(recorded));
        assert_eq!(**state.agent(), row.agent);
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let at = SessionFolder::new().await;
    let session = at.session().await;
    let sent = at.send(session.id, &["one", "two"]).await;
    at.process(session.id, sent.first_seq).await;
    let events = at.list(session.id, query(Order::Ascending, 100)).await;
    let row = at.row(session.id).await;

    let store = at.reopened();
    let again = store.session(at.workspace, session.id).await.unwrap();
    assert_eq!(again, Some(row));
    let page = store
        .list_events(at.workspace, session.id, query(Order::Ascending, 100))
        .await;
    assert_eq!(page.unwrap().unwrap().data, events);
}

#[tokio::test]
async fn long_rows_are_read_in_pieces() {
    let at = SessionFolder::new().await;
    let session = at.session().await;
    let long = "x".repeat(5 * 1024 * 1024);
    at.send(session.id, &[&long, &long, &long]).await;
    let (mut last, mut rows, mut reads) = (Seq(0), 0, 0);
    loop {
        let piece = at.store.read_log(session.id, last, 1_000).await.unwrap();
        let Some(end) = piece.last() else { break };
        (last, rows, reads) = (end.seq, rows + piece.len(), reads + 1);
    }
    assert_eq!(last, at.row(session.id).await.last_seq);
    assert_eq!(rows, usize::try_from(last.0).unwrap());
    assert!(reads > 1, "one read holds all 15 MiB");
}

/// Those that were asked for and no others, the newest first, and all of them in the end.
#[tokio::test]
async fn rows_are_read_by_their_positions() {
    let at = SessionFolder::with(StoreOptions::default()).await;
    let session = at.session().await;
    let long = "x".repeat(5 << 20);
    let texts: Vec<&str> = (0..80)
        .map(|number| {
            if number % 40 == 1 {
                long.as_str()
            } else {
                "hi"
            }
        })
        .collect();
    send(&at.store, &at.env, session.workspace_id, session.id, &texts).await;
    let log = at.store.read_log(session.id, Seq(0), 1_000).await.unwrap();
    let mut wanted: Vec<Seq> = log.iter().rev().step_by(2).map(|row| row.seq).collect();
    let expected = wanted.clone();
    let mut found = Vec::new();
    while !wanted.is_empty() {
        let rows = at.store.read_rows(session.id, &wanted).await.unwrap();
        assert!((1..=32).contains(&rows.len()));
        found.extend(rows.iter().map(|row| row.seq));
        wanted.retain(|seq| *seq < rows.last().unwrap().seq);
    }
    assert_eq!(found, expected);
    let elsewhere = at.session().await;
    let none = [Seq(0), Seq(-1), Seq(1_000)];
    assert!(
        at.store
            .read_rows(session.id, &none)
            .await
            .unwrap()
            .is_empty()
    );
    assert_ne!(elsewhere.id, session.id);
}
