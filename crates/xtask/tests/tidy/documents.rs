//! A document that names a file names one that exists.

use crate::tree::{FILES, assert_none, root};

const ROOTS: [&str; 10] = [
    "crates/",
    "docs/",
    "tests/",
    "migrations/",
    "scripts/",
    "changes/",
    "console/",
    ".ci/",
    ".config/",
    ".cargo/",
];

#[test]
fn files_named_in_documents_exist() {
    let mut missing = Vec::new();
    for file in FILES.iter().filter(|file| file.path.ends_with(".md")) {
        for (number, line) in file.text.lines().enumerate() {
            for named in line.split('`').skip(1).step_by(2) {
                if let Some(path) = place_of(named)
                    && !root().join(&path).exists()
                {
                    missing.push(format!("{}:{}: {named}", file.path, number + 1));
                }
            }
        }
    }
    assert_none(
        &missing,
        "a document names a file that is not there: correct the document, or the name:",
    );
}

/// The path that a quoted name stands for, if it is one: in full, or short as `crate/file.rs`.
fn place_of(named: &str) -> Option<String> {
    let name = named.split([':', '#']).next().unwrap_or_default();
    let pattern = |c: char| "*<>{}…$()| ".contains(c);
    if name.is_empty() || name.contains(pattern) || named.contains(pattern) {
        return None;
    }
    if ROOTS.iter().any(|start| name.starts_with(start)) {
        return Some(name.to_owned());
    }
    let (first, rest) = name.split_once('/')?;
    let is_crate = root().join("crates").join(first).is_dir();
    (is_crate && rest.ends_with(".rs")).then(|| format!("crates/{first}/src/{rest}"))
}

#[test]
fn names_of_files_are_recognised() {
    assert_eq!(
        place_of("crates/store/src/lib.rs:12").as_deref(),
        Some("crates/store/src/lib.rs")
    );
    assert_eq!(
        place_of("store/lib.rs").as_deref(),
        Some("crates/store/src/lib.rs")
    );
    for other in [
        "crates/*/src",
        "docs/{a,b}.md",
        "application/json",
        "cargo xtask check",
        "GET /v1/agents",
    ] {
        assert_eq!(place_of(other), None, "{other}");
    }
}

#[test]
fn each_decision_has_a_number_of_its_own() {
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeMap::new();
    for file in FILES.iter() {
        let Some(name) = file.path.strip_prefix("docs/adr/") else {
            continue;
        };
        let number = name.split('-').next().unwrap_or_default();
        let heading = format!("# {}. ", number.trim_start_matches('0'));
        if !file.text.starts_with(&heading) {
            wrong.push(format!("{name} does not begin with `{heading}`"));
        }
        if let Some(other) = seen.insert(number, name) {
            wrong.push(format!("{name} and {other}"));
        }
    }
    assert_none(
        &wrong,
        "give each decision in docs/adr the next free number:",
    );
}
