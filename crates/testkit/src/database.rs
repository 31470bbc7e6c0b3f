//! The store of a test, on the engine of this run: SQLite in the test's folder, or a PostgreSQL
//! database of the test's own where `HOSTLER_TEST_POSTGRES` names a server (`tests/with-postgres`).
//!
//! A database is a copy of a template that is migrated once. It is named after the process, and
//! dropped by a later test when the process is gone.

#![expect(
    clippy::expect_used,
    reason = "a test that has no database should stop"
)]

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use hostler_store::{PostgresAddress, PostgresOptions, Store, StoreOptions};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

const TEMPLATE: &str = "hostler_template";
/// The name of a folder's database, so that the folder can be opened again.
const NAME_FILE: &str = "test-database";

static MADE: AtomicU32 = AtomicU32::new(0);

/// The server of this run, if it is one with PostgreSQL.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "a test has no configuration to ask"
)]
pub fn postgres_server() -> Option<String> {
    std::env::var("HOSTLER_TEST_POSTGRES").ok()
}

/// Opens the store of a folder; the same folder is the same data.
///
/// # Panics
/// When it can't be opened.
#[must_use]
pub fn open_store(folder: &Path, options: StoreOptions) -> Store {
    match database(folder) {
        None => Store::open_with(folder, options).expect("the folder can be opened"),
        Some(address) => apart(|| {
            let address: PostgresAddress = address.parse().expect("an address");
            Store::connect(folder, PostgresOptions::new(address), options)
                .expect("the database can be opened")
        }),
    }
}

/// The address of the folder's own database on the server of this run.
///
/// # Panics
/// When it can't be made.
#[must_use]
pub fn database(folder: &Path) -> Option<String> {
    let server = postgres_server()?;
    let file = folder.join(NAME_FILE);
    let name = std::fs::read_to_string(&file).unwrap_or_else(|_| {
        let name = apart(|| make(&server));
        std::fs::write(&file, &name).expect("a test's folder can be written");
        name
    });
    Some(address(&server, &name))
}

fn address(server: &str, name: &str) -> String {
    let base = server.strip_suffix("/postgres").unwrap_or(server);
    format!("{base}/{name}")
}

/// On a thread of its own: tests call this from threads that run tasks and must not block.
fn apart<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(run).join()).expect("the thread ends")
}

fn make(server: &str) -> String {
    let number = MADE.fetch_add(1, Ordering::SeqCst);
    let name = format!("test_{}_{number}", std::process::id());
    let copy = format!("create database {name} template {TEMPLATE}");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let template = runtime.block_on(with_client(server, async |client| {
        drop_left_over(client).await;
        // Nobody may make the template twice, nor copy it while it is made.
        client
            .batch_execute("select pg_advisory_lock(1)")
            .await
            .expect("a lock");
        let missing = client
            .batch_execute(&copy)
            .await
            .is_err_and(|error| error.code() == Some(&SqlState::INVALID_CATALOG_NAME));
        if missing {
            let half = format!("{TEMPLATE}_half");
            let begin = format!("create database {half}");
            client.batch_execute(&begin).await.expect("a database");
            migrate(&address(server, &half));
            let done = format!("alter database {half} rename to {TEMPLATE}");
            client.batch_execute(&done).await.expect("a template");
            client.batch_execute(&copy).await.expect("a copy");
        }
        client.batch_execute("select pg_advisory_unlock(1)").await
    }));
    template.expect("the server of the tests answers");
    name
}

fn migrate(address: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let options = StoreOptions {
        wake_ups: hostler_store::WakeUps::Off,
        ..StoreOptions::default()
    };
    let address: PostgresAddress = address.parse().expect("an address");
    apart(|| Store::connect(folder.path(), PostgresOptions::new(address), options).map(drop))
        .expect("a migrated database");
}

/// Databases of processes that are no more.
async fn drop_left_over(client: &Client) {
    let names = "select datname from pg_database where datname like 'test\\_%'";
    let rows = client.query(names, &[]).await.expect("the databases");
    for row in rows {
        let name: &str = row.get(0);
        let pid = name.split('_').nth(1).unwrap_or_default();
        if !Path::new("/proc").join(pid).exists() {
            // Another test may be at it, too.
            let drop = format!("drop database if exists {name} with (force)");
            let _ = client.batch_execute(&drop).await;
        }
    }
}

async fn with_client<T>(
    server: &str,
    run: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
) -> Result<T, tokio_postgres::Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    tokio::select! {
        done = run(&client) => done,
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}
