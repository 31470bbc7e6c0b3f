//! The connections keep their promises, whatever becomes of jobs and callers.

use tokio::sync::oneshot;

use super::sqlite::placeholders;
use super::*;
use crate::limits::READERS;

#[test]
fn placeholders_keep_their_numbers() {
    assert_eq!(
        placeholders("select $2, $1, '$', $x"),
        "select ?2, ?1, '$', $x"
    );
}

#[tokio::test]
async fn a_commit_is_synced_before_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_file(&folder.path().join("test.db"), Migrations::Apply).unwrap();
    let settings = db.write(|tx| {
        let mode = tx.one("pragma journal_mode", &[], |row| row.text(0))?;
        let synchronous = tx.one("pragma synchronous", &[], |row| row.integer(0))?;
        Ok::<_, StoreError>((mode, synchronous))
    });
    let full = 2;
    assert_eq!(settings.await.unwrap(), (Some("wal".into()), Some(full)));
}

#[tokio::test]
async fn who_need_not_be_synced_takes_nobody_elses_sync() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_file(&folder.path().join("test.db"), Migrations::Apply).unwrap();
    let synchronous = |tx: &Tx<'_>| tx.one("pragma synchronous", &[], |row| row.integer(0));
    let (normal, full) = (Some(1), Some(2));
    let unsynced = || db.write_unsynced(Scope::OwnLeases, synchronous, |_| {});
    let alone: Result<_, StoreError> = unsynced().await;
    assert_eq!(alone.unwrap(), normal);
    for _ in 0..50 {
        let (one, other, synced) = tokio::join!(unsynced(), unsynced(), db.write(synchronous));
        assert_eq!(synced.unwrap(), full);
        assert!(
            [one.unwrap(), other.unwrap()]
                .iter()
                .all(|mode| [normal, full].contains(mode))
        );
    }
    assert_eq!(unsynced().await.unwrap(), normal);
    let (synced, _) = tokio::join!(db.write(synchronous), unsynced());
    assert_eq!(synced.unwrap(), full);
}

#[tokio::test]
async fn a_failing_job_rolls_back_alone() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_file(&folder.path().join("test.db"), Migrations::Apply).unwrap();
    db.write(|tx| tx.execute("create table t (n bigint)", &[]))
        .await
        .unwrap();
    let good = (0..50).map(|n: i64| {
        let db = db.clone();
        async move {
            db.write(move |tx| tx.execute("insert into t values ($1)", &[&n]))
                .await
        }
    });
    let bad = db.write::<(), StoreError>(|tx| {
        tx.execute("insert into t values (1000)", &[])?;
        Err(StoreError::Busy)
    });
    let (goods, bad) = tokio::join!(futures::future::join_all(good), bad);
    assert!(goods.iter().all(Result::is_ok));
    assert!(matches!(bad, Err(StoreError::Busy)));
    let sum = db
        .read(|tx| tx.one("select sum(n) from t", &[], |row| row.integer(0)))
        .await;
    assert_eq!(sum.unwrap(), Some(49 * 50 / 2));
}

#[tokio::test]
async fn a_read_that_is_given_up_costs_nobody_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_file(&folder.path().join("test.db"), Migrations::Apply).unwrap();
    let one = || db.read(|tx| tx.one("select 1", &[], |row| row.integer(0)));
    for _ in 0..READERS * 10 {
        // Given up wherever it is by then.
        let _ = futures::poll!(Box::pin(one()));
    }
    assert_eq!(one().await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_write_that_is_given_up_is_told_of_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_file(&folder.path().join("test.db"), Migrations::Apply).unwrap();
    let (told, hears) = oneshot::channel();
    let write = db.write_and_tell(
        |_| Ok::<_, StoreError>(7),
        move |value| told.send(*value).unwrap(),
    );
    let _ = futures::poll!(Box::pin(write));
    assert_eq!(hears.await, Ok(7));
}

#[tokio::test]
async fn a_panicking_job_leaves_the_store_usable() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open_file(&folder.path().join("test.db"), Migrations::Apply).unwrap();
    let panicked = db.write::<(), StoreError>(|_| panic!("a bug")).await;
    assert!(matches!(panicked, Err(StoreError::Closed)));
    let one = db
        .write(|tx| tx.one("select 1", &[], |row| row.integer(0)))
        .await;
    assert_eq!(one.unwrap(), Some(1));
}

/// **What this shows:** whoever is paused or cut off in the middle of a change holds its locks for less time than
/// others wait for them, and for less than a lease.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_in_a_change_holds_nobody_up_for_long() {
    let folder = tempfile::tempdir().unwrap();
    let Some(address) = hostler_testkit::database::database(folder.path()) else {
        return;
    };
    let connect = move || {
        let options = PostgresOptions::new(address.parse().unwrap());
        Db::connect(options, Migrations::Apply).unwrap()
    };
    let (still, other) = tokio::task::spawn_blocking(move || (connect(), connect()))
        .await
        .unwrap();
    let session = Scope::Session(hostler_domain::Env::fixed(1).id());
    for held in [session, Scope::Everything] {
        stand_still(&still, held, &other, session).await;
    }
}

/// One stands still in a change of `held`, and the other changes `wanted`.
async fn stand_still(still: &Db, held: Scope, other: &Db, wanted: Scope) {
    let (begun, has_begun) = oneshot::channel();
    let (go_on, goes_on) = std::sync::mpsc::channel();
    let stands = still.write_in(
        held,
        move |tx| {
            tx.one("select 1", &[], |row| row.integer(0))?;
            begun.send(()).unwrap();
            goes_on.recv().unwrap();
            tx.one("select 1", &[], |row| row.integer(0))
        },
        |_| {},
    );
    let takes_over = async {
        has_begun.await.unwrap();
        let one = |tx: &Tx<'_>| tx.one("select 1", &[], |row| row.integer(0));
        let taken: Result<_, StoreError> = other.write_in(wanted, one, |_| {}).await;
        go_on.send(()).unwrap();
        taken
    };
    let (stood, taken) = tokio::join!(stands, takes_over);
    assert_eq!(taken.unwrap(), Some(1));
    assert!(stood.is_err(), "what it had begun was taken back");
}
