//! A database moves from one engine to the other and back, whole or not at all.

use std::io::{BufReader, Cursor};
use std::sync::{Arc, Mutex};

use hostler_protocol::event::Seq;
use hostler_store::{DATABASE_FILE, From, Store, StoreOptions, TransferError};
use hostler_testkit::open_store;

use crate::log::agent_message;
use crate::session_folder::SessionFolder;

/// A file in memory, which outlives the export that it is given to.
#[derive(Clone, Default)]
struct File(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for File {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn exported(store: &Store) -> String {
    let file = File::default();
    store.export(file.clone()).await.unwrap();
    let bytes = file.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

async fn import(store: &Store, file: &str) -> Result<(), TransferError> {
    let from = BufReader::new(Cursor::new(file.to_owned().into_bytes()));
    store.import(from).await.map(drop)
}

async fn filled() -> SessionFolder {
    let at = SessionFolder::new().await;
    let session = at.session().await;
    at.send(session.id, &["hi", "\u{1F980} \"quoted\""]).await;
    at.record(session.id, vec![agent_message("there")]).await;
    at
}

#[tokio::test]
async fn what_is_moved_is_the_same_and_goes_on() {
    let from = filled().await;
    let file = exported(&from.store).await;
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    // The engine of this run, then SQLite.
    let stores = [
        open_store(folders[0].path(), StoreOptions::default()),
        Store::open(folders[1].path()).unwrap(),
    ];
    for store in &stores {
        import(store, &file).await.unwrap();
        assert_eq!(exported(store).await, file);
    }
    // New rows get keys of their own.
    let session = from.session().await;
    let moved = SessionFolder {
        store: stores[0].clone(),
        ..filled_from(&from)
    };
    let new = moved.create(moved.new_session()).await;
    moved.record(new.id, vec![agent_message("new")]).await;
    assert_eq!(moved.row(new.id).await.last_seq, Seq(2));
    let follow = moved
        .store
        .follow(moved.workspace, session.id, From::Now)
        .await;
    assert!(follow.unwrap().is_none(), "it was made after the export");
}

/// The same workspace and environment, with a folder of its own.
fn filled_from(from: &SessionFolder) -> SessionFolder {
    SessionFolder {
        store: from.store.clone(),
        env: from.env.clone(),
        workspace: from.workspace,
        environment: from.environment,
        folder: tempfile::tempdir().unwrap(),
    }
}

#[tokio::test]
async fn what_can_not_be_taken_whole_leaves_nothing() {
    let file = exported(&filled().await.store).await;
    let folder = tempfile::tempdir().unwrap();
    let store = open_store(folder.path(), StoreOptions::default());
    let empty = exported(&store).await;
    let broken_off = &file[..file.len() / 2];
    let altered = file.replace("there", "their");
    let extended = format!("{file}[]\n");
    for wrong in [broken_off, &altered, &extended] {
        import(&store, wrong).await.unwrap_err();
        assert_eq!(exported(&store).await, empty);
    }
    import(&store, &file).await.unwrap();
    let again = import(&store, &file).await.unwrap_err();
    assert!(matches!(again, TransferError::NotEmpty { .. }), "{again}");
}

#[tokio::test]
async fn no_table_and_no_column_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let file = exported(&store).await;
    let connection = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    let tables = "select name from sqlite_master where type = 'table'";
    let mut tables = connection.prepare(tables).unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    // What is made anew from the log, and what holds for a moment.
    let caches = [
        "session_snapshots",
        "session_snapshot_texts",
        "credential_refreshes",
    ];
    for table in tables.map(Result::unwrap) {
        if caches.contains(&table.as_str()) {
            continue;
        }
        assert!(
            file.contains(&format!("{{\"begin\":\"{table}\"}}")),
            "{table}"
        );
        let source = include_str!("../../src/transfer/tables.rs");
        let squeezed = source.split_whitespace().collect::<Vec<_>>().join(" ");
        let squeezed = squeezed.replace("\\ ", "");
        let mut columns = connection
            .prepare("select name from pragma_table_info(?1)")
            .unwrap();
        let columns = columns.query_map([&table], |row| row.get::<_, String>(0));
        let columns: Vec<String> = columns.unwrap().map(Result::unwrap).collect();
        let read = format!("select {} from {table} order by", columns.join(", "));
        assert!(squeezed.contains(&read), "{read}");
    }
}
