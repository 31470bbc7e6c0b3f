//! The keeper of a pod: the second container, which nothing of the sandbox can touch.
//!
//! It does for the server, at the other end of a connection, what the server does for itself
//! where sandboxes have their files on its own disk. What lies in those directories was made by
//! strangers, so every path is resolved beneath them by the kernel here too. The server in turn
//! believes nothing that it says.

mod door;
mod files;
mod install;
mod relay;

use std::io;
use std::process::ExitCode;

use crate::pod::{INSTALL, KEEP, RELAY};

/// The whole of `hostler sandbox-keeper`, with the words that follow. Call it first thing in
/// `main`, before any thread or runtime exists.
pub fn keeper_main(arguments: &[String]) -> ExitCode {
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [INSTALL] => install::install(),
        [KEEP] => door::keep(),
        [RELAY] => relay::relay(),
        _ => Err(io::Error::other("it is started by a pod only")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The cluster keeps what a container says on standard error.
            eprintln!("hostler sandbox-keeper: {error}");
            ExitCode::FAILURE
        }
    }
}
