//! `hostler demo --exit`: the whole product once, in the real sandbox, without a key.

use super::{hostler, stderr, stdout};

#[test]
fn the_demo_shows_a_session_and_the_file_that_it_made() {
    let output = hostler(&["demo", "--exit", "--model", "scripted"]);
    let said = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{said}\n{}", stderr(&output));
    let (session, file) = said.split_once("\nfibonacci.txt:\n").unwrap();
    for line in [
        "running",
        "write   /workspace/fibonacci.py",
        "idle    end_turn",
    ] {
        assert!(
            session.lines().any(|found| found == line),
            "no line {line:?} in:\n{session}"
        );
    }
    let downloaded = |line: &str| line.starts_with("GET /v1/files/file_");
    assert!(session.lines().any(downloaded), "{session}");
    let numbers: Vec<&str> = file
        .lines()
        .map(|line| line.trim_start_matches([' ', '|']))
        .collect();
    assert_eq!(numbers.len(), 20);
    assert_eq!(numbers[19], "4181");
    let id = said.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let id = id.into_iter().find(|word| word.starts_with("sesn_"));
    assert_eq!(processes_of(id.unwrap()), Vec::<String>::new());
}

/// The processes that see a folder of this sandbox, whether it is still there or not.
fn processes_of(sandbox: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|process| {
            let mounts = std::fs::read_to_string(format!("/proc/{process}/mountinfo"));
            mounts.is_ok_and(|mounts| mounts.contains(sandbox))
        })
        .collect()
}
