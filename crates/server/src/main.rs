//! The binary. Everything is in the library, so that tests reach it.

use std::process::ExitCode;

use clap::Parser;
use hostler_server::cli::Cli;
use hostler_server::config::Environment;

fn main() -> ExitCode {
    // The first process of a sandbox is a copy of this one, so nothing may have been started before.
    let command = std::env::args_os().nth(1);
    if command.as_deref() == Some("sandbox-init".as_ref()) {
        return hostler_sandbox::init_main();
    }
    // In a container it is this one.
    if command.as_deref() == Some("sandbox-agent".as_ref()) {
        return hostler_sandbox::agent_main();
    }
    // In a pod there are two of them, and what prepares it.
    if command.as_deref() == Some("sandbox-pod-agent".as_ref()) {
        return hostler_sandbox::pod_agent_main();
    }
    if command.as_deref() == Some("sandbox-keeper".as_ref()) {
        let arguments: Option<Vec<String>> = std::env::args_os()
            .skip(2)
            .map(|argument| argument.into_string().ok())
            .collect();
        return hostler_sandbox::keeper_main(&arguments.unwrap_or_default());
    }
    // What strangers have written is read by one that can do nothing else.
    if command.as_deref() == Some(hostler_web::READER_COMMAND.as_ref()) {
        return hostler_web::reader_main();
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
