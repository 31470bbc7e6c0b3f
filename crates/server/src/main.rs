//! The binary. Everything is in the library, so that tests reach it.

use std::process::ExitCode;

use clap::Parser;
use hostler_server::cli::Cli;
use hostler_server::config::Environment;

fn main() -> ExitCode {
    // The first process of a sandbox is a copy of this one, so nothing may have been started before.
    if std::env::args_os()
        .nth(1)
        .is_some_and(|command| command == "sandbox-init")
    {
        return hostler_sandbox::init_main();
    }
    // What this process writes holds keys and what people said, also in a folder that was there before.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    match Cli::parse().run(&Environment::of_process()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hostler: {error:#}");
            ExitCode::FAILURE
        }
    }
}
