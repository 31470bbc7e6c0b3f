//! Sessions: made, changed, listed, deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use hostler_domain::session::{Refusal, SessionStatus, Summary, accept};
use hostler_protocol::event::Event;
use hostler_protocol::id::SessionId;
use hostler_store::{
    ChangeError, CreateSession, From, Order, SessionEdit, SessionFilter, SessionPage, SessionRow,
    StoreError, TimeRange, Wanted,
};
use hostler_testkit::database::database;
use tokio::task::JoinSet;

use crate::session_folder::{SessionFolder, agent, draft, edit, idle, message, query};

#[tokio::test]
async fn a_session_reads_back_as_it_was_made() {
    let at = SessionFolder::new().await;
    let mut new = at.new_session();
    new.title = Some("t".into());
    new.metadata = BTreeMap::from([("k".to_owned(), "v".to_owned())]);
    let created = at.create(new).await;
    assert_eq!(at.row(created.id).await, created);
    assert_eq!(created.summary.status, SessionStatus::Idle);
    assert_eq!(created.last_seq.0, 1);
    let stranger = at.env.id();
    assert_eq!(at.store.session(stranger, created.id).await.unwrap(), None);
    let used = at.store.environment_in_use(at.workspace, at.environment);
    assert!(used.await.unwrap());
}

#[tokio::test]
async fn a_session_needs_a_live_environment() {
    let at = SessionFolder::new().await;
    let mut new = at.new_session();
    new.environment_id = at.env.id();
    let refused = at.store.create_session(new).await.unwrap();
    assert!(matches!(refused, CreateSession::NoSuchEnvironment));
    let now = at.env.now();
    let archived = at
        .store
        .archive_environment(at.workspace, at.environment, now);
    archived.await.unwrap();
    let refused = at.store.create_session(at.new_session()).await.unwrap();
    assert!(matches!(refused, CreateSession::NoSuchEnvironment));
    assert!(list(&at, SessionFilter::default(), 9).await.is_empty());
}

#[tokio::test]
async fn a_change_answers_the_row_as_it_is_stored() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let changed = at
        .edit(
            id,
            SessionEdit {
                drafts: vec![at.draft(idle()), at.draft(idle())],
                title: Some(Some("t".into())),
                metadata: Some(BTreeMap::from([("k".to_owned(), "v".to_owned())])),
                agent: Some(Box::new(agent(&at.env, "b"))),
                archived_at: Some(at.env.now()),
            },
        )
        .await;
    assert_eq!(changed.first_seq.0, 2);
    assert_eq!(changed.row.last_seq.0, 3);
    assert_eq!(changed.row, at.row(id).await);
    let cleared = SessionEdit {
        title: Some(None),
        ..SessionEdit::default()
    };
    let expected = SessionRow {
        title: None,
        ..changed.row
    };
    assert_eq!(at.edit(id, cleared).await.row, expected);
    assert_eq!(at.row(id).await, expected);
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    let at = SessionFolder::new().await;
    let before = at.session().await;
    let id = before.id;
    let refused = at
        .store
        .change_session(at.workspace, id, |row| Err(row.last_seq.0));
    assert!(matches!(refused.await, Err(ChangeError::Refused(1))));
    let (event, now) = (at.env.id(), at.env.now());
    let refused = at
        .store
        .delete_session(at.workspace, id, event, now, |_| Err("busy"));
    assert!(matches!(refused.await, Err(ChangeError::Refused("busy"))));
    assert_eq!(at.row(id).await, before);

    let foreign = at
        .store
        .change_session(at.env.id(), id, |_| Ok::<_, ()>(edit(Vec::new())));
    assert!(matches!(foreign.await, Err(ChangeError::NoSuchSession)));
    let stranger = at.env.id();
    let foreign = at
        .store
        .delete_session(stranger, id, event, now, |_| Ok::<_, ()>(()));
    assert!(matches!(foreign.await, Err(ChangeError::NoSuchSession)));
}

#[tokio::test]
async fn a_deleted_session_leaves_nothing_to_read() {
    let at = SessionFolder::new().await;
    let (id, other) = (at.session().await.id, at.session().await.id);
    let (event, now) = (at.env.id(), at.env.now());
    let deleted = at
        .store
        .delete_session(at.workspace, id, event, now, |_| Ok::<_, ()>(()));
    deleted.await.unwrap();
    assert_eq!(at.store.session(at.workspace, id).await.unwrap(), None);
    assert_eq!(at.store.session_brief(id).await.unwrap(), None);
    let events = at
        .store
        .list_events(at.workspace, id, query(Order::Ascending, 1));
    assert_eq!(events.await.unwrap(), None);
    let left = list(&at, SessionFilter::default(), 9).await;
    assert_eq!(left, [other]);
    // The place of a deleted row may be used again: nothing of the old log may show there.
    let next = at.session().await;
    assert_eq!(next.last_seq.0, 1);
    let mut follow = at.follow(next.id, From::Now).await;
    at.terminate(next.id).await;
    let events = crate::session_folder::all_events(&mut follow).await;
    assert_eq!(events.len(), 1);
}

/// All pages, newest first, in pages of `limit`.
async fn list(at: &SessionFolder, filter: SessionFilter, limit: u32) -> Vec<SessionId> {
    pages(at, filter, Order::Descending, limit).await
}

async fn pages(
    at: &SessionFolder,
    filter: SessionFilter,
    order: Order,
    limit: u32,
) -> Vec<SessionId> {
    let mut ids = Vec::new();
    let mut after = None;
    loop {
        let page = SessionPage {
            order,
            after,
            limit,
        };
        let rows = at
            .store
            .list_sessions(at.workspace, filter.clone(), page)
            .await;
        let rows = rows.unwrap();
        ids.extend(rows.iter().map(|row| row.id));
        match rows.last() {
            Some(last) => after = Some((last.created_at, last.id)),
            None => return ids,
        }
    }
}

#[tokio::test]
async fn pages_meet_in_both_orders() {
    let at = SessionFolder::new().await;
    let mut oldest_first = Vec::new();
    for round in 0..5 {
        let pair = [at.session().await.id, at.session().await.id];
        oldest_first.extend([pair[0].min(pair[1]), pair[0].max(pair[1])]);
        at.env.advance(Duration::from_secs(round));
    }
    oldest_first[..4].sort();
    let newest_first: Vec<_> = oldest_first.iter().rev().copied().collect();
    for limit in [1, 2, 3, 10, 11] {
        let all = SessionFilter::default();
        let ids = pages(&at, all.clone(), Order::Ascending, limit).await;
        assert_eq!(ids, oldest_first);
        assert_eq!(
            pages(&at, all, Order::Descending, limit).await,
            newest_first
        );
    }
}

#[tokio::test]
async fn filters_say_which_sessions() {
    let at = SessionFolder::new().await;
    let first = at.session().await;
    at.env.advance(Duration::from_secs(1));
    let second = at.session().await;
    at.send(second.id, &["hi"]).await;
    at.env.advance(Duration::from_secs(1));
    let archived = at.session().await;
    at.terminate(archived.id).await;
    let archive = SessionEdit {
        archived_at: Some(at.env.now()),
        ..SessionEdit::default()
    };
    at.edit(archived.id, archive).await;

    let all = SessionFilter::default;
    assert_eq!(list(&at, all(), 9).await, [second.id, first.id]);
    let filter = SessionFilter {
        include_archived: true,
        ..all()
    };
    let everything = [archived.id, second.id, first.id];
    assert_eq!(list(&at, filter, 9).await, everything);
    let filter = SessionFilter {
        include_archived: true,
        statuses: vec![SessionStatus::Terminated, SessionStatus::Running],
        ..all()
    };
    assert_eq!(list(&at, filter, 9).await, everything[..2]);
    let of_agent = |version| SessionFilter {
        agent_id: Some(first.agent.id),
        agent_version: version,
        ..all()
    };
    assert_eq!(list(&at, of_agent(None), 9).await, [first.id]);
    assert_eq!(list(&at, of_agent(Some(1)), 9).await, [first.id]);
    assert!(list(&at, of_agent(Some(2)), 9).await.is_empty());
    let filter = SessionFilter {
        agent_version: Some(2),
        ..all()
    };
    assert_eq!(
        list(&at, filter, 9).await.len(),
        2,
        "counts beside an id only"
    );
    let filter = SessionFilter {
        created_at: TimeRange {
            gt: Some(first.created_at),
            lt: Some(archived.created_at),
            ..TimeRange::default()
        },
        include_archived: true,
        ..all()
    };
    assert_eq!(list(&at, filter, 9).await, [second.id]);
}

#[tokio::test]
async fn an_update_of_the_agent_is_stored_with_its_event() {
    let at = SessionFolder::new().await;
    let id = at.session().await.id;
    let new = agent(&at.env, "b");
    let updated = Event::SessionUpdated(hostler_protocol::event::SessionUpdated {
        agent: Some(Box::new(new.clone())),
        ..Default::default()
    });
    at.record(id, vec![updated]).await;
    assert_eq!(at.row(id).await.agent, new);
}

/// Nobody's write gets on meanwhile.
enum HeldBack {
    File(rusqlite::Connection),
    Server(
        tokio_postgres::Client,
        JoinSet<Result<(), tokio_postgres::Error>>,
    ),
}

impl HeldBack {
    async fn new(at: &SessionFolder) -> Self {
        match database(at.folder.path()) {
            None => {
                let other = rusqlite::Connection::open(at.folder.path().join("hostler.db"));
                let other = other.unwrap();
                other.execute_batch("begin immediate").unwrap();
                Self::File(other)
            }
            Some(address) => {
                let connected = tokio_postgres::connect(&address, tokio_postgres::NoTls).await;
                let (other, connection) = connected.unwrap();
                let mut connections = JoinSet::new();
                connections.spawn(connection);
                let lock = "begin; lock table sessions in exclusive mode";
                other.batch_execute(lock).await.unwrap();
                Self::Server(other, connections)
            }
        }
    }

    async fn let_go(self) {
        match self {
            Self::File(other) => other.execute_batch("rollback").unwrap(),
            Self::Server(other, _connections) => other.batch_execute("rollback").await.unwrap(),
        }
    }
}

async fn say(at: &SessionFolder, id: SessionId) -> Result<(), ChangeError<Refusal>> {
    let env = at.env.clone();
    let decide = move |summary: &Summary| {
        let events = accept(summary, vec![message("hi")], env.now())?.into_events();
        Ok(events.into_iter().map(|event| draft(&env, event)).collect())
    };
    let place = at.store.enter(Wanted::Changes, at.workspace);
    let place = place.map_err(ChangeError::Store)?;
    let sending = at.store.send_to_session(place, at.workspace, id, decide);
    sending.await
}

#[tokio::test]
async fn who_would_wait_too_long_is_refused_at_once_and_the_others_are_served() {
    let at = SessionFolder::new().await;
    // A session lets a thousand wait.
    let sessions = [(); 4].map(|()| at.session());
    let ids: Vec<SessionId> = join_all(sessions).await.iter().map(|row| row.id).collect();
    let held_back = HeldBack::new(&at).await;
    let mut sends = FuturesUnordered::new();
    let refused = loop {
        assert!(sends.len() < 5_000, "no end to what may wait");
        sends.push(say(&at, ids[sends.len() % ids.len()]));
        if let Some(Some(ended)) = sends.next().now_or_never() {
            break ended;
        }
    };
    assert!(matches!(refused, Err(ChangeError::Store(StoreError::Busy))));
    held_back.let_go().await;
    let accepted = sends.len();
    while let Some(sent) = sends.next().await {
        sent.unwrap();
    }
    let rows = join_all(ids.iter().map(|id| at.row(*id))).await;
    let queued: usize = rows.iter().map(|row| row.summary.queued.len()).sum();
    assert_eq!(queued, accepted);
    say(&at, ids[0]).await.unwrap();
}
