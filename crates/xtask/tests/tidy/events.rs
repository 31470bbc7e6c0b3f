//! Stored events live for years: each type has a golden file of its JSON.

use crate::tree::{FILES, assert_none, root};

const TABLE: &str = "crates/protocol/src/event.rs";
const GOLDEN: &str = "crates/protocol/tests/golden";

#[test]
fn every_event_has_a_golden_file() {
    let names = event_names();
    assert!(
        !names.is_empty(),
        "{TABLE} has no `events! {{` table any more: teach this test the new form"
    );
    let missing: Vec<String> = names
        .iter()
        .map(|name| format!("{GOLDEN}/{name}.json"))
        .filter(|path| !root().join(path).is_file())
        .collect();
    assert_none(
        &missing,
        "add the JSON of this event as it is stored, so that it can never be read differently:",
    );
}

#[test]
fn no_golden_file_is_left_without_its_event() {
    let names = event_names();
    let orphans: Vec<String> = FILES
        .iter()
        .filter_map(|file| {
            file.path
                .strip_prefix(GOLDEN)?
                .strip_prefix('/')?
                .strip_suffix(".json")
        })
        .filter(|stem| {
            !names.contains(stem) && !names.iter().any(|n| stem.starts_with(&format!("{n}.")))
        })
        .map(str::to_owned)
        .collect();
    assert_none(
        &orphans,
        "stored logs still hold these events: an event is never removed:",
    );
}

/// The public names in the table of events: `"user.message" UserMessage(…) …;`.
fn event_names() -> Vec<&'static str> {
    let Some(table) = FILES.iter().find(|file| file.path == TABLE) else {
        return Vec::new();
    };
    table
        .text
        .lines()
        .skip_while(|line| !line.starts_with("events! {"))
        .skip(1)
        .take_while(|line| !line.starts_with('}'))
        .filter_map(|line| line.trim().strip_prefix('"')?.split('"').next())
        .collect()
}
