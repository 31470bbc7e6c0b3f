//! The binary as a person meets it: help, version, refusals, exit codes.

mod demo;
mod images;
mod sandboxes;
mod serve;

use std::path::Path;
use std::process::{Command, Output};

/// Takes the developer's own settings out of the environment.
pub(crate) fn clean(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let upper = name.to_string_lossy().to_uppercase();
        if ["HOSTLER_", "ANTHROPIC_", "OPENAI_"]
            .iter()
            .any(|start| upper.starts_with(start))
        {
            command.env_remove(name);
        }
    }
}

fn hostler_in(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostler"));
    clean(&mut command);
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

fn hostler(arguments: &[&str]) -> Output {
    hostler_in(tempfile::tempdir().unwrap().path(), arguments)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn without_a_command_it_says_how_to_start() {
    let output = hostler(&[]);
    assert!(
        stderr(&output).contains("Start with:\n  hostler "),
        "{}",
        stderr(&output)
    );
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn it_has_a_version() {
    let output = hostler(&["--version"]);
    assert_eq!(
        stdout(&output),
        format!("hostler {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_configuration_that_is_wrong_is_refused_with_its_reason() {
    let output = hostler(&["doctor", "--listen", "here"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        stderr(&output),
        "hostler: the configuration is not valid: flag --listen: server.listen: \"here\" is not an address \
         with a port, such as \"127.0.0.1:4180\" or \"[::1]:4180\"\n"
    );
}

#[test]
fn the_doctor_fails_where_a_server_would() {
    let output = hostler(&[
        "doctor",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        "/dev/null",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stdout(&output).contains("FAIL  data folder"),
        "{}",
        stdout(&output)
    );
}
