//! Two processes on one PostgreSQL database, and a database that goes away. Without a PostgreSQL
//! these tests do nothing, and say so.

use std::time::Duration;

use futures::FutureExt;
use hostler_domain::session::{Refusal, Summary};
use hostler_protocol::content::ContentBlock;
use hostler_protocol::event::{Event, Seq, UserInterrupt, UserMessage};
use hostler_store::{
    ChangeError, From, PostgresAddress, PostgresOptions, Schema, SessionEdit, Store, StoreError,
    StoreOptions, Wanted,
};
use hostler_testkit::database::{database, postgres_server};
use hostler_testkit::open_store;
use tokio::task::JoinSet;

use crate::log::agent_message;
use crate::session_folder::{SessionFolder, TTL, edit, names, next_event, refolded, send};

/// Looks so seldom that only a wake-up can be the reason.
fn by_wake_ups() -> StoreOptions {
    StoreOptions {
        look_interval: Duration::from_secs(3_600),
        ..StoreOptions::default()
    }
}

fn has_postgres() -> bool {
    let is_there = postgres_server().is_some();
    if !is_there {
        eprintln!("this run has no PostgreSQL: see tests/with-postgres");
    }
    is_there
}

#[tokio::test]
async fn an_append_here_wakes_who_follows_there() {
    if !has_postgres() {
        return;
    }
    let here = SessionFolder::with(by_wake_ups()).await;
    let there = open_store(here.folder.path(), by_wake_ups());
    let session = here.session().await;
    let follow = there.follow(here.workspace, session.id, From::Now).await;
    let mut follow = follow.unwrap().unwrap();
    // Until the listener listens, what is said is not heard.
    let both = async {
        let first = next_event(&mut follow).await;
        (first, next_event(&mut follow).await)
    };
    here.record(session.id, vec![agent_message("one"), agent_message("two")])
        .await;
    let (one, two) = both.await;
    assert_eq!(names(&[one, two]), ["agent.message", "agent.message"]);
}

#[tokio::test]
async fn a_runner_there_is_told_in_a_step_of_interrupts_and_not_of_messages() {
    if !has_postgres() {
        return;
    }
    let here = SessionFolder::with(by_wake_ups()).await;
    let there = open_store(here.folder.path(), by_wake_ups());
    let id = here.session().await.id;
    let mut wakes = there.wakes(id);
    let send = async |event: Event| {
        let drafts = vec![here.draft(event)];
        let decide = |_: &Summary| Ok::<_, Refusal>(drafts);
        let place = here.store.enter(Wanted::Changes, here.workspace).unwrap();
        let sent = here
            .store
            .send_to_session(place, here.workspace, id, decide);
        sent.await.unwrap();
    };
    let content = vec![ContentBlock::text("hi")];
    let message = Event::UserMessage(UserMessage { content });
    for known in 1..3 {
        send(message.clone()).await;
        // From the first time on the listener listens.
        wakes.changed(Seq(known)).await;
    }
    assert!(wakes.broken_in(Seq(1)).now_or_never().is_none());
    send(Event::UserInterrupt(UserInterrupt::default())).await;
    wakes.broken_in(Seq(3)).await;
}

#[tokio::test]
async fn a_lease_runs_out_by_the_clock_of_the_database() {
    if !has_postgres() {
        return;
    }
    let at = SessionFolder::with(StoreOptions::default()).await;
    let id = at.session().await.id;
    at.claim(id, "one").await.unwrap();
    at.env.advance(TTL * 1_000);
    assert!(at.claim(id, "two").await.is_none(), "this clock is wrong");
    let due = at.store.sessions_due(at.env.now(), 10).await.unwrap();
    assert!(due.is_empty());
}

#[tokio::test]
async fn a_start_frees_its_own_leases_and_nobody_elses() {
    if !has_postgres() {
        return;
    }
    let at = SessionFolder::new().await;
    let (mine, other) = (at.session().await.id, at.session().await.id);
    at.claim(mine, "here-1").await.unwrap();
    at.claim(other, "there-1").await.unwrap();
    at.store.free_leases_of("here").await.unwrap();
    assert!(at.claim(mine, "here-2").await.is_some());
    assert!(at.claim(other, "here-2").await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_decide_on_the_same_state_one_succeeds() {
    if !has_postgres() {
        return;
    }
    let at = SessionFolder::new().await;
    let session = at.session().await;
    let stores = [at.store.clone(), at.reopened()];
    let mut changes = JoinSet::new();
    for number in 0..20 {
        let store = stores[number % 2].clone();
        let (workspace, id) = (at.workspace, session.id);
        let draft = at.draft(agent_message("only one"));
        changes.spawn(async move {
            let change = store.change_session(workspace, id, move |row| match row.last_seq {
                Seq(1) => Ok(edit(vec![draft])),
                _ => Err("somebody was first"),
            });
            change.await.is_ok()
        });
    }
    let succeeded = changes.join_all().await.into_iter().filter(|ok| *ok);
    assert_eq!(succeeded.count(), 1);
    assert_eq!(at.row(session.id).await.last_seq, Seq(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_of_two_processes_make_one_log() {
    if !has_postgres() {
        return;
    }
    let at = SessionFolder::new().await;
    let session = at.session().await;
    let mut writers = JoinSet::new();
    for store in [at.store.clone(), at.reopened()] {
        let (env, workspace, id) = (at.env.clone(), at.workspace, session.id);
        writers.spawn(async move {
            for _ in 0..30 {
                send(&store, &env, workspace, id, &["hi"]).await;
            }
        });
    }
    writers.join_all().await;
    // It says so if there is a gap.
    let summary = refolded(&at.store, session.id).await;
    assert_eq!(at.row(session.id).await.summary, summary);
    assert_eq!(summary.queued.len(), 60);
}

#[tokio::test]
async fn a_database_that_comes_back_is_used_again() {
    if !has_postgres() {
        return;
    }
    let at = SessionFolder::with(by_wake_ups()).await;
    let session = at.session().await;
    let other = open_store(at.folder.path(), by_wake_ups());
    let follow = other.follow(at.workspace, session.id, From::Now).await;
    let mut follow = follow.unwrap().unwrap();
    at.record(session.id, vec![agent_message("before")]).await;
    next_event(&mut follow).await;

    end_all_connections(&database(at.folder.path()).unwrap()).await;
    at.record(session.id, vec![agent_message("after")]).await;
    // The listener has to connect again; what was said meanwhile it looks for by itself.
    assert_eq!(next_event(&mut follow).await.name, "agent.message");
    assert_eq!(at.row(session.id).await.last_seq, Seq(3));
}

#[tokio::test]
async fn what_a_start_can_not_use_is_named_with_its_cure() {
    let Some(server) = postgres_server() else {
        has_postgres();
        return;
    };
    let (base, _) = server.rsplit_once('/').unwrap();
    let (_, host) = base.split_once('@').unwrap();
    run_sql(&server, "create role with_password login password 'right'").await;
    for (address, cure) in [
        (format!("{base}/nowhere"), "createdb nowhere"),
        (
            format!("postgres://with_password:wrong@{host}/postgres"),
            "refuses the password of with_password",
        ),
        (
            "postgres://hostler@127.0.0.1:1/x".to_owned(),
            "is it running",
        ),
    ] {
        let error = open(address).await.unwrap_err();
        assert!(error.to_string().contains(cure), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test]
async fn data_of_a_newer_version_is_refused() {
    if !has_postgres() {
        return;
    }
    let at = SessionFolder::new().await;
    let address = database(at.folder.path()).unwrap();
    run_sql(&address, "update schema_migrations set version = 9999").await;
    let error = open(address.clone()).await.unwrap_err();
    assert!(
        matches!(error, StoreError::TooNew { found: 9999, .. }),
        "{error}"
    );
    let status = tokio::task::spawn_blocking(move || Schema::of_database(address.parse().unwrap()));
    assert_eq!(status.await.unwrap().unwrap().found, 9999);
}

#[tokio::test]
async fn a_text_that_can_not_be_kept_is_refused_and_nothing_is() {
    if !has_postgres() {
        return;
    }
    let at = SessionFolder::new().await;
    let session = at.session().await;
    let change = at.store.change_session(at.workspace, session.id, |_| {
        Ok::<_, ()>(SessionEdit {
            title: Some(Some("a\0b".to_owned())),
            ..SessionEdit::default()
        })
    });
    let error = change.await.unwrap_err();
    let expected = matches!(error, ChangeError::Store(StoreError::NotStorable(_)));
    assert!(expected, "{error:?}");
    assert_eq!(at.row(session.id).await, session);
}

async fn open(address: String) -> Result<Store, StoreError> {
    let open = tokio::task::spawn_blocking(move || {
        let folder = tempfile::tempdir().unwrap();
        let address: PostgresAddress = address.parse().unwrap();
        let options = PostgresOptions::new(address);
        Store::connect(folder.path(), options, StoreOptions::default())
    });
    open.await.unwrap()
}

async fn end_all_connections(address: &str) {
    let others = "select pg_terminate_backend(pid) from pg_stat_activity \
                  where datname = current_database() and pid <> pg_backend_pid()";
    run_sql(address, others).await;
}

async fn run_sql(address: &str, sql: &str) {
    let connected = tokio_postgres::connect(address, tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::select! {
        done = client.batch_execute(sql) => done.unwrap(),
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}
