//! `hostler sandboxes exec`: a command inside a sandbox, with the streams of this process.
//!
//! Where standard input and output are a terminal, the command gets one of its own and this one only
//! carries bytes; nothing is taken out of what it writes. Otherwise output is cleaned of what a
//! terminal could take for a command, unless the operator wants it raw.

use std::future::pending;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use anyhow::Context;
use hostler_sandbox::{
    Exec, ExecEnd, ExecError, ExecEvent, ExecInput, ExecOrder, ExecOutput, SandboxName, Terminal,
    TextCleaner,
};
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use super::raw_terminal::{RawTerminal, size};
use crate::config::Config;

/// What is read of standard input at once.
const INPUT_BYTES: usize = 16 << 10;

/// What becomes of bytes that are not for a terminal of the command's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// Without escape sequences and control characters.
    Cleaned,
    AsTheyAre,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecCommand {
    pub name: String,
    pub words: Vec<String>,
    pub bytes: Bytes,
    /// `TERM`, for a command that gets a terminal.
    pub terminal_kind: Option<String>,
}

/// The exit code is the command's, or 128 and the number of the signal that ended it.
pub async fn run(command: ExecCommand, config: &Config) -> anyhow::Result<ExitCode> {
    let folder = config.sandbox.state_dir.as_path();
    let name = super::known(folder, &command.name)?;
    let terminal = size().map(|size| Terminal {
        kind: command.terminal_kind.unwrap_or_default(),
        size,
    });
    let has_terminal = terminal.is_some();
    let order = ExecOrder {
        words: command.words,
        terminal,
    };
    let begun = hostler_sandbox::exec(folder, &name, order).await;
    let running = begun.map_err(|error| refused(&name, error))?;
    if has_terminal {
        // Put back when it is dropped, however this ends.
        let _raw = RawTerminal::enter().context("the terminal cannot be prepared")?;
        in_terminal(running).await
    } else {
        in_pipes(running, command.bytes).await
    }
}

fn refused(name: &SandboxName, error: ExecError) -> anyhow::Error {
    match error {
        ExecError::AtRest => anyhow::anyhow!(
            "the sandbox {name} has no processes now: the next tool call of its session starts it"
        ),
        ExecError::Stopping => anyhow::anyhow!(
            "the sandbox {name} is being stopped at this moment, since its session is idle"
        ),
        ExecError::Sandbox(error) => {
            anyhow::Error::new(error).context(format!("nothing can be run in the sandbox {name}"))
        }
    }
}

async fn in_terminal(running: Exec) -> anyhow::Result<ExitCode> {
    let Exec { input, output } = running;
    let mut ends = [
        (Signal::TERM, signal(SignalKind::terminate())?),
        (Signal::HUP, signal(SignalKind::hangup())?),
        (Signal::INT, signal(SignalKind::interrupt())?),
        (Signal::QUIT, signal(SignalKind::quit())?),
    ];
    let ended = futures::future::select_all(ends.iter_mut().map(|(number, signal)| {
        Box::pin(async move {
            signal.recv().await;
            *number
        })
    }));
    tokio::select! {
        code = pass_output(output, Bytes::AsTheyAre) => code,
        never = pass_terminal_input(input) => never,
        (signal, _, _) = ended => Ok(code_of(ExecEnd::Signal(signal.as_raw().to_le_bytes()[0]))),
    }
}

async fn in_pipes(running: Exec, bytes: Bytes) -> anyhow::Result<ExitCode> {
    let Exec { input, output } = running;
    tokio::select! {
        code = pass_output(output, bytes) => code,
        never = pass_input(input) => never,
    }
}

/// Until the command has ended.
async fn pass_output(mut output: ExecOutput, bytes: Bytes) -> anyhow::Result<ExitCode> {
    let (mut out, mut err) = (Sink::new(bytes), Sink::new(bytes));
    loop {
        let written = match output.next().await? {
            ExecEvent::Output(said) => write(std::io::stdout(), out.take(said)).await,
            ExecEvent::Error(said) => write(std::io::stderr(), err.take(said)).await,
            ExecEvent::Ended(end) => {
                let out = write(std::io::stdout(), out.rest()).await;
                let err = write(std::io::stderr(), err.rest()).await;
                return out.and(err).map(|()| code_of(end)).or_else(unheard);
            }
        };
        if let Err(error) = written {
            return unheard(error);
        }
    }
}

/// Whoever read has gone, which is how a pipe to `head` ends.
fn unheard(error: io::Error) -> anyhow::Result<ExitCode> {
    if error.kind() == io::ErrorKind::BrokenPipe {
        let signal = Signal::PIPE.as_raw().to_le_bytes()[0];
        return Ok(code_of(ExecEnd::Signal(signal)));
    }
    Err(error).context("the output cannot be written")
}

/// On a thread that may block, so that signals are heard meanwhile.
async fn write(mut to: impl Write + Send + 'static, bytes: Vec<u8>) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let work = move || to.write_all(&bytes).and_then(|()| to.flush());
    tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)?
}

/// What one stream says, as it is shown.
struct Sink(Option<TextCleaner>);

impl Sink {
    fn new(bytes: Bytes) -> Self {
        Self(match bytes {
            Bytes::Cleaned => Some(TextCleaner::default()),
            Bytes::AsTheyAre => None,
        })
    }

    fn take(&mut self, said: Vec<u8>) -> Vec<u8> {
        let Some(cleaner) = &mut self.0 else {
            return said;
        };
        let mut text = String::new();
        cleaner.push(&said, &mut text);
        text.into_bytes()
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut text = String::new();
        if let Some(cleaner) = &mut self.0 {
            cleaner.finish(&mut text);
        }
        text.into_bytes()
    }
}

/// Never ends: the command may not want all of it, and tells its own end.
async fn pass_input(mut input: ExecInput) -> anyhow::Result<ExitCode> {
    let mut typed = read_input()?;
    let pass = async {
        while let Some(bytes) = typed.recv().await {
            input.write(&bytes).await?;
        }
        input.end().await
    };
    // A command that has ended takes no more.
    let _: io::Result<()> = pass.await;
    pending().await
}

/// Until this terminal is closed.
async fn pass_terminal_input(mut input: ExecInput) -> anyhow::Result<ExitCode> {
    let mut resized = signal(SignalKind::window_change())?;
    let mut typed = read_input()?;
    let mut pass = async || {
        // It may have changed since the command was begun.
        resize(&mut input).await?;
        loop {
            tokio::select! {
                bytes = typed.recv() => match bytes {
                    Some(bytes) => input.write(&bytes).await?,
                    None => return Ok(()),
                },
                _ = resized.recv() => resize(&mut input).await?,
            }
        }
    };
    let passed: io::Result<()> = pass().await;
    match passed {
        Ok(()) => Ok(code_of(ExecEnd::Signal(
            Signal::HUP.as_raw().to_le_bytes()[0],
        ))),
        Err(_) => pending().await,
    }
}

async fn resize(input: &mut ExecInput) -> io::Result<()> {
    match size() {
        Some(size) => input.resize(size).await,
        None => Ok(()),
    }
}

/// Standard input, piece by piece, from a thread that ends with it or with the process.
fn read_input() -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = channel(1);
    let read = move || {
        let mut bytes = vec![0; INPUT_BYTES];
        loop {
            let length = match io::stdin().read(&mut bytes) {
                Ok(0) => return,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return,
            };
            if sender.blocking_send(bytes[..length].to_vec()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("input".to_owned())
        .spawn(read)?;
    Ok(receiver)
}

/// As shells tell it.
fn code_of(end: ExecEnd) -> ExitCode {
    match end {
        ExecEnd::Exit(code) => code.into(),
        ExecEnd::Signal(number) => number.saturating_add(128).into(),
    }
}
