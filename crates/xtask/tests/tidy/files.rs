//! Files stay small, say what they are for, and changes are noted.

use crate::tree::{FILES, assert_none, rust_files};

const LINES_MAX: usize = 700;

#[test]
fn no_source_file_is_longer_than_a_reader_can_hold() {
    let long: Vec<String> = FILES
        .iter()
        .filter(|file| {
            [".rs", ".py", ".ts", ".sh"]
                .iter()
                .any(|end| file.path.ends_with(end))
        })
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("{} has {lines} lines", file.path))
        .collect();
    assert_none(
        &long,
        "split these files by subject; 250 lines is the aim, 700 the end:",
    );
}

#[test]
fn every_rust_file_opens_with_what_it_does() {
    let silent: Vec<String> = rust_files()
        .filter(|file| {
            !file
                .text
                .lines()
                .next()
                .is_some_and(|line| line.starts_with("//! "))
        })
        .map(|file| file.path.clone())
        .collect();
    assert_none(
        &silent,
        "let the first line be `//!`: what the file does, and what it deliberately does not:",
    );
}

#[test]
fn changes_that_users_notice_have_a_note() {
    let noted = FILES
        .iter()
        .any(|file| file.path.starts_with("changes/unreleased/") && !file.text.trim().is_empty());
    assert!(
        noted,
        "add a file with a sentence or two to changes/unreleased/"
    );
}

#[test]
fn no_lock_file_names_a_package_host() {
    let locked: Vec<String> = FILES
        .iter()
        .filter(|file| {
            [
                "package-lock.json",
                "yarn.lock",
                "pnpm-lock.yaml",
                "npm-shrinkwrap.json",
            ]
            .iter()
            .any(|name| file.path.ends_with(name))
        })
        .map(|file| file.path.clone())
        .collect();
    assert_none(
        &locked,
        "pin exact versions in package.json and commit no lock file:",
    );
}

#[test]
fn no_tracked_file_names_a_path_of_one_machine() {
    let mut found = Vec::new();
    for file in FILES.iter() {
        for (number, line) in file.text.lines().enumerate() {
            if names_a_private_path(line) {
                found.push(format!("{}:{}: {}", file.path, number + 1, line.trim()));
            }
        }
    }
    assert_none(
        &found,
        "say it without the path of a machine; a clone has other folders:",
    );
}

/// A home of root's or a work folder at the root. `/v1/environments/{id}/work/poll` is neither.
fn names_a_private_path(line: &str) -> bool {
    ["work", "root"].iter().any(|folder| {
        let needle = format!("/{folder}/");
        line.match_indices(&needle).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = &line[at + needle.len()..];
            let below_something =
                before.is_some_and(|c| c.is_alphanumeric() || "}_.-*)$:~]".contains(c));
            let is_route = ["poll", "stats", "{", ":"]
                .iter()
                .any(|end| after.starts_with(end));
            !below_something && !is_route
        })
    })
}

#[test]
fn private_paths_are_told_from_routes() {
    let home = ["/ro", "ot/x"].concat();
    let folder = ["/wo", "rk/main"].concat();
    assert!(names_a_private_path(&format!("cd {home}")));
    assert!(names_a_private_path(&format!("\"{folder}\"")));
    for fine in [
        "/v1/environments/{id}/work/poll",
        "`/work/poll`",
        "a/work/b",
        "$PWD/work/x",
    ] {
        assert!(!names_a_private_path(fine), "{fine}");
    }
}
