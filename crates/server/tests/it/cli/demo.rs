//! `hostler demo --exit`: the whole product once, in the real sandbox, without a key.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{clean, hostler, stderr, stdout};

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

#[test]
fn whatever_ends_the_demo_ends_its_server_and_removes_its_folder() {
    let early = "Starting a server in a fresh folder";
    for (signal, moment, code) in [
        (Signal::TERM, "The server goes on.", 0),
        (Signal::HUP, "The server goes on.", 0),
        (Signal::INT, early, 1),
        (Signal::TERM, early, 1),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
        clean(&mut command);
        let mut demo = command
            .args(["demo", "--model", "scripted"])
            .env("TMPDIR", folder.path())
            // Others are at the usual one.
            .env("HOSTLER__SERVER__LISTEN", "127.0.0.1:0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
        assert!(
            lines.any(|line| line.unwrap().starts_with(moment)),
            "{moment}"
        );
        kill_process(Pid::from_child(&demo), signal).unwrap();
        assert_eq!(
            demo.wait().unwrap().code(),
            Some(code),
            "{signal:?} at {moment}"
        );
        let place = folder.path().to_str().unwrap();
        assert_eq!(
            processes_of(place),
            Vec::<String>::new(),
            "{signal:?} at {moment}"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

/// The processes that see a folder of this name, whether it is still there or not, or were told of it.
fn processes_of(folder: &str) -> Vec<String> {
    std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|process| {
            ["mountinfo", "cmdline"].iter().any(|file| {
                let text = std::fs::read_to_string(format!("/proc/{process}/{file}"));
                text.is_ok_and(|text| text.contains(folder))
            })
        })
        .collect()
}
