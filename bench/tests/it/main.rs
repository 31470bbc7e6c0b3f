//! The driver as a program. What it measures is seen by `make bench SMOKE=1`, which needs a server.

use std::process::{Command, Output};

fn bench(arguments: &[&str]) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_hostler-bench"))
        .args(arguments)
        .output()
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let output = bench(&["idle", "--smoke", "--server", "/nowhere/hostler"]).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(said.contains("/nowhere/hostler is not there"), "{said}");
}

#[test]
fn every_scenario_is_in_the_help() {
    let output = bench(&["--help"]).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for name in [
        "turn-overhead",
        "first-token",
        "append",
        "readers",
        "idle",
        "model-path",
        "capacity",
        "growth",
        "rivals",
        "kills",
        "overload",
    ] {
        assert!(said.contains(name), "{name} is missing in {said}");
    }
}
