//! Every statement of the crate is understood by the engines that it is for. The statements are
//! taken from the source, so none can be forgotten.

use std::path::{Path, PathBuf};

use hostler_store::{DATABASE_FILE, StoreOptions};
use hostler_testkit::database::database;
use hostler_testkit::open_store;

struct Statement {
    file: PathBuf,
    sql: String,
}

impl Statement {
    /// Asked of a server only: its clock, its settings, its notifications.
    fn is_for_postgres_only(&self) -> bool {
        if self.sql.contains("pg_get_serial_sequence") {
            return true;
        }
        let file = self.file.to_string_lossy();
        ["db/postgres/", "db/tx.rs", "migrate.rs"]
            .iter()
            .any(|place| file.contains(place))
    }

    /// Of the database that simulations have, which is one of SQLite's.
    fn is_for_sqlite_only(&self) -> bool {
        self.file.to_string_lossy().contains("db/simulated.rs")
    }
}

#[test]
fn sqlite_takes_every_statement() {
    let folder = tempfile::tempdir().unwrap();
    drop(hostler_store::Store::open(folder.path()).unwrap());
    let connection = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    for statement in statements() {
        if statement.is_for_postgres_only() {
            continue;
        }
        // As the store does: SQLite would number `$` parameters by first appearance.
        let sql = statement.sql.replace('$', "?");
        if let Err(error) = connection.prepare(&sql) {
            panic!("{}: {error}\n{sql}", statement.file.display());
        }
    }
}

#[tokio::test]
async fn postgresql_takes_every_statement() {
    let folder = tempfile::tempdir().unwrap();
    let Some(address) = database(folder.path()) else {
        eprintln!("this run has no PostgreSQL: see tests/with-postgres");
        return;
    };
    drop(open_store(folder.path(), StoreOptions::default()));
    let connected = tokio_postgres::connect(&address, tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    let prepare_all = async {
        let shared = statements()
            .into_iter()
            .filter(|one| !one.is_for_sqlite_only());
        for statement in shared {
            if let Err(error) = client.prepare(&statement.sql).await {
                panic!("{}: {error:?}\n{}", statement.file.display(), statement.sql);
            }
        }
    };
    tokio::select! {
        () = prepare_all => {}
        ended = connection => panic!("the connection ended: {ended:?}"),
    }
}

#[test]
fn statements_are_named() {
    // Text at the place of its use would be missed by the tests above.
    let inline = [".one(\"", ".all(\"", ".each(\"", ".execute(\""];
    for (file, text) in sources() {
        if file.ends_with("db/tests.rs") {
            continue;
        }
        let squeezed: String = text.split_whitespace().collect();
        for start in inline {
            assert!(!squeezed.contains(start), "{}: {start}", file.display());
        }
    }
    assert!(statements().len() > 60, "the statements are found");
}

/// String constants that begin like a statement.
fn statements() -> Vec<Statement> {
    let mut statements = Vec::new();
    for (file, text) in sources() {
        for part in text.split(": &str =").skip(1) {
            let Some(literal) = part.trim_start().strip_prefix('"') else {
                continue;
            };
            let end = literal.find("\";").expect("a string constant has an end");
            let sql = unfold(&literal[..end]);
            let verbs = ["select ", "insert ", "update ", "delete "];
            if verbs.iter().any(|verb| sql.starts_with(verb)) {
                let file = file.clone();
                statements.push(Statement { file, sql });
            }
        }
    }
    statements
}

/// What the compiler makes of a line that ends with a backslash.
fn unfold(literal: &str) -> String {
    let mut lines = literal.split("\\\n");
    let mut text = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        text.push_str(line.trim_start());
    }
    text
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    files
}
