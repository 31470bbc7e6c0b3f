//! The launcher for the tests: what `hostler sandbox-init` is in the product.

use std::process::ExitCode;

fn main() -> ExitCode {
    hostler_sandbox::init_main()
}
