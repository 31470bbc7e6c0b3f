//! Words that must not stand in code: silenced lints, unnumbered promises, hidden tests, sleeps.

use crate::tree::{FILES, File, assert_none, rust_files};

// Put together here, so that this file does not offend against itself.
const ALLOW: [&str; 2] = [concat!("#[al", "low("), concat!("#![al", "low(")];
const IGNORE: [&str; 2] = [concat!("#[ign", "ore"), concat!("should_", "panic")];
const PROMISES: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
const SLEEPS: [&str; 4] = [
    concat!("thread::sl", "eep"),
    concat!("time::sl", "eep("),
    concat!("asyncio.sl", "eep"),
    concat!("time.sl", "eep("),
];

fn lines_with(file: &File, words: &[&str]) -> Vec<String> {
    file.text
        .lines()
        .enumerate()
        .filter(|(_, line)| words.iter().any(|word| line.contains(word)))
        .map(|(number, line)| format!("{}:{}: {}", file.path, number + 1, line.trim()))
        .collect()
}

#[test]
fn lints_are_expected_never_allowed() {
    let found: Vec<String> = rust_files()
        .flat_map(|file| lines_with(file, &ALLOW))
        .collect();
    assert_none(
        &found,
        "write #[expect(the_lint, reason = \"…\")], or do what the lint says:",
    );
}

#[test]
fn no_test_is_hidden() {
    let found: Vec<String> = rust_files()
        .flat_map(|file| lines_with(file, &IGNORE))
        .collect();
    assert_none(
        &found,
        "assert today's behaviour and number the defect instead:",
    );
}

#[test]
fn promises_have_a_number() {
    let found: Vec<String> = code_files()
        .flat_map(|file| lines_with(file, &PROMISES))
        .filter(|line| PROMISES.iter().any(|word| has_unnumbered(line, word)))
        .collect();
    assert_none(
        &found,
        "do it now, or open an issue and write its number: (#n):",
    );
}

#[test]
fn tests_wait_for_events_not_for_time() {
    let found: Vec<String> = code_files()
        .filter(|file| file.path.contains("tests/") || file.path.contains("/testkit/"))
        // Under a paused clock a sleep is an event like others: nobody waits for it.
        .filter(|file| !file.text.contains("start_paused"))
        .flat_map(|file| lines_with(file, &SLEEPS))
        .collect();
    assert_none(&found, "wait for the event that the sleep hopes for:");
}

fn code_files() -> impl Iterator<Item = &'static File> {
    let ends = [
        ".rs", ".py", ".ts", ".sh", ".sql", ".toml", "Makefile", "/run",
    ];
    FILES
        .iter()
        .filter(move |file| ends.iter().any(|end| file.path.ends_with(end)))
}

/// The word stands alone in the line and no `(#n)` follows it at once.
fn has_unnumbered(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let touches = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let after = &line[at + word.len()..];
        let alone = !touches(line[..at].chars().next_back()) && !touches(after.chars().next());
        alone && !after.trim_start().starts_with("(#")
    })
}

#[test]
fn numbered_promises_are_told_from_bare_ones() {
    let [word, ..] = PROMISES;
    assert!(has_unnumbered(&format!("// {word}: later"), word));
    assert!(!has_unnumbered(&format!("// {word}(#12): later"), word));
    assert!(!has_unnumbered(&format!("let {word}S = 1;"), word));
}
