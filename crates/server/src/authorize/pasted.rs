//! Lines that a person pastes, for a browser on another machine than this one.

use std::io::{self, BufRead, Read};

use anyhow::Context;
use tokio::sync::mpsc::{Receiver, channel};

use crate::limits::PASTED_BYTES_MAX;

pub(super) struct Pasted(Receiver<String>);

impl Pasted {
    /// The thread that reads ends with standard input or with the process.
    pub(super) fn begin() -> anyhow::Result<Self> {
        let (sender, receiver) = channel(1);
        let read = move || {
            let mut input = io::stdin().lock();
            loop {
                let mut line = Vec::new();
                let read = (&mut input)
                    .take(PASTED_BYTES_MAX)
                    .read_until(b'\n', &mut line);
                if !matches!(read, Ok(length) if length > 0) {
                    return;
                }
                let line = String::from_utf8_lossy(&line).trim().to_owned();
                if !line.is_empty() && sender.blocking_send(line).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("pasted".to_owned());
        thread.spawn(read).context("standard input can't be read")?;
        Ok(Self(receiver))
    }

    /// Waits for ever once nothing more can come.
    pub(super) async fn next(&mut self) -> String {
        match self.0.recv().await {
            Some(line) => line,
            None => std::future::pending().await,
        }
    }
}
