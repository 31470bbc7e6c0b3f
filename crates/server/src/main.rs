//! The binary. Everything is in the library, so that tests reach it.

use std::process::ExitCode;

use clap::Parser;
use hostler_server::cli::Cli;
use hostler_server::config::Environment;

fn main() -> ExitCode {
    match Cli::parse().run(&Environment::of_process()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hostler: {error:#}");
            ExitCode::FAILURE
        }
    }
}
