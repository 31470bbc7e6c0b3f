//! `cargo xtask`: the checks that every change passes, in the order in which they fail fastest.
//!
//! The rules that the compiler cannot see are tests of this crate (`tests/tidy`), not code here.

use std::process::{Command, ExitCode};

const USAGE: &str = "usage: cargo xtask <command>

  check   format, lints, all Rust tests, documentation
  tidy    the rules that the compiler cannot see";

/// What a command runs, one after the other, until one fails.
type Steps = &'static [&'static [&'static str]];

const CHECK: Steps = &[
    &["fmt", "--all", "--check"],
    &[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ],
    &["nextest", "run", "--workspace"],
    &[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
    ],
];

const TIDY: Steps = &[&[
    "test",
    "--quiet",
    "--package",
    "hostler-xtask",
    "--test",
    "tidy",
]];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["check"] => run(CHECK),
        ["tidy"] => run(TIDY),
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn run(steps: Steps) -> ExitCode {
    for step in steps {
        let command = step.join(" ");
        eprintln!("xtask: cargo {command}");
        let status = Command::new("cargo")
            .args(*step)
            .env("RUSTDOCFLAGS", "-D warnings")
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(_) => {
                eprintln!("xtask: `cargo {command}` failed");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("xtask: cannot run `cargo {command}`: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
