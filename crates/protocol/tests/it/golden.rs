//! **Invariant:** the meaning of a stored event never changes. `tests/golden` holds each type as
//! logs hold it; a file that is there is never edited. A type whose keys are optional has a
//! second file, `<type>.minimal.json`, without them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hostler_protocol::event::{Audience, Event};

fn golden() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("a folder that can be read").path())
        .collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a file that can be read");
        (path, text.trim_end().to_owned())
    };
    files.into_iter().map(read).collect()
}

fn type_of(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    value["type"].as_str().expect("a type").to_owned()
}

#[test]
fn every_type_is_there_and_every_file_is_of_its_type() {
    let mut full = BTreeSet::new();
    for (path, json) in golden() {
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let name = type_of(&json);
        assert!(
            *stem == *name || stem.starts_with(&format!("{name}.")),
            "{stem} holds {name}"
        );
        if *stem == *name {
            full.insert(name);
        }
    }
    let known: BTreeSet<String> = Event::NAMES.iter().map(|&name| name.to_owned()).collect();
    assert_eq!(full, known);
}

#[test]
fn every_file_is_read_and_written_the_same_byte_for_byte() {
    for (path, json) in golden() {
        let name = type_of(&json);
        let event = Event::from_json(&name, &json)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!matches!(event, Event::Unknown { .. }), "{name}");
        assert_eq!(event.name(), name);
        assert_eq!(event.to_json(), json, "{}", path.display());
    }
}

#[test]
fn keys_of_a_newer_version_do_not_stop_an_older_one() {
    for (path, json) in golden() {
        let name = type_of(&json);
        let newer = json.replacen('{', r#"{"a_new_key":{"x":[1]},"#, 1);
        let event = Event::from_json(&name, &newer)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(event.to_json(), json);
    }
}

#[test]
fn a_type_of_a_newer_version_is_kept_verbatim_and_to_itself() {
    let json = r#"{ "type":"agent.dreamt",  "of":[1.50, "\u00e9"] }"#;
    let event = Event::from_json("agent.dreamt", json).expect("kept");
    assert!(matches!(event, Event::Unknown { .. }));
    assert_eq!(event.name(), "agent.dreamt");
    assert_eq!(event.audience(), Audience::Internal);
    assert_eq!(event.to_json(), json);
    assert!(Event::from_json("agent.dreamt", "not JSON").is_err());
}

#[test]
fn a_known_type_that_does_not_fit_is_an_error() {
    for (name, json) in [
        ("user.message", r#"{"type":"user.message"}"#),
        (
            "user.message",
            r#"{"type":"user.message","content":[{"type":"video"}]}"#,
        ),
        (
            "agent.tool_result",
            r#"{"type":"agent.tool_result","tool_use_id":"toolu_1","content":[],"is_error":false}"#,
        ),
        ("session.status_idle", r#"{"type":"session.status_idle"}"#),
        ("hostler.tool_started", "{"),
        ("agent.thinking", "[1]"),
    ] {
        let error = Event::from_json(name, json).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn what_only_the_fold_needs_is_internal() {
    for (_, json) in golden() {
        let name = type_of(&json);
        let event = Event::from_json(&name, &json).expect("a golden file");
        let expected = match name.split_once('.') {
            Some(("hostler", _)) => Audience::Internal,
            Some(("user", "message" | "interrupt") | ("system", _)) => Audience::Queued,
            _ => Audience::Public,
        };
        assert_eq!(event.audience(), expected, "{name}");
    }
}
