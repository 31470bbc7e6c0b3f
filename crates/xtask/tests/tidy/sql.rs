//! SQL is text in `store` and nowhere else.

use crate::tree::{assert_none, rust_files};

const STATEMENTS: [&str; 7] = [
    "select ",
    "insert into ",
    "delete from ",
    "create table ",
    "alter table ",
    "drop table ",
    "pragma ",
];

#[test]
fn only_the_store_speaks_sql() {
    let mut found = Vec::new();
    for file in rust_files().filter(|file| !may_speak_sql(&file.path)) {
        for (number, line) in file.text.lines().enumerate() {
            if opens_a_statement(line) {
                found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert_none(
        &found,
        "move the statement into a function of crates/store that is named after the question:",
    );
}

/// Tests may look into a database, and so may the benchmarks.
fn may_speak_sql(path: &str) -> bool {
    [
        "crates/store/",
        "crates/xtask/",
        "crates/testkit/",
        "crates/bench/",
    ]
    .iter()
    .any(|p| path.starts_with(p))
        || path.contains("/tests/")
        || path.ends_with("/tests.rs")
}

/// A string literal that begins like a statement. Prose about selecting begins otherwise.
fn opens_a_statement(line: &str) -> bool {
    let lower = line.to_lowercase();
    let code = lower.split("//").next().unwrap_or_default();
    code.match_indices('"').any(|(at, _)| {
        let text = code[at + 1..].trim_start();
        let updates = text.starts_with("update ") && text.contains(" set ");
        updates
            || STATEMENTS
                .iter()
                .any(|statement| text.starts_with(statement) && reads_on(statement, text))
    })
}

/// `"select a model"` is a sentence; `"select id from t"` and an open `"select` are not.
fn reads_on(statement: &str, text: &str) -> bool {
    let rest = text[statement.len()..]
        .split('"')
        .next()
        .unwrap_or_default();
    statement != "select "
        || rest.contains(" from ")
        || rest.contains(',')
        || rest.contains("(")
        || !text.contains('"')
}

#[test]
fn statements_are_told_from_sentences() {
    for statement in [
        "let q = \"select id from t\";",
        "\"insert into t values ($1)\"",
        "\"select last_seq",
        "(\"UPDATE t SET a = 1\")",
    ] {
        assert!(opens_a_statement(statement), "{statement}");
    }
    for sentence in [
        "\"select a model\"",
        "// \"select id from t\"",
        "\"update the agent\"",
        "let a = \"deleted\";",
    ] {
        assert!(!opens_a_statement(sentence), "{sentence}");
    }
}
