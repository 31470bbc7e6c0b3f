//! The launcher for the tests: what `hostler sandbox-init`, `hostler sandbox-agent`,
//! `hostler sandbox-pod-agent` and `hostler sandbox-keeper` are in the product.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("sandbox-agent") => hostler_sandbox::agent_main(),
        Some("sandbox-pod-agent") => hostler_sandbox::pod_agent_main(),
        Some("sandbox-keeper") => hostler_sandbox::keeper_main(&arguments[1..]),
        Some(_) | None => hostler_sandbox::init_main(),
    }
}
