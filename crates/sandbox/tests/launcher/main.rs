//! The launcher for the tests: what `hostler sandbox-init` and `hostler sandbox-agent` are in the
//! product.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args()
        .nth(1)
        .is_some_and(|argument| argument == "sandbox-agent")
    {
        return hostler_sandbox::agent_main();
    }
    hostler_sandbox::init_main()
}
