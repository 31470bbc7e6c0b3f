//! The server of the demo: this same binary, as a process of its own, in a folder that goes with it.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use hostler_sandbox::kill_all;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::signal::unix::{SignalKind, signal};

use super::model::Chosen;
use crate::config::SandboxMode;

const START_TIME_MAX: Duration = Duration::from_secs(60);
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
/// The address of `hostler serve`, so that what the demo prints is what will be seen later.
const USUAL_ADDRESS: &str = "127.0.0.1:4180";
const ANY_ADDRESS: &str = "127.0.0.1:0";

/// Cheap to start: whether it is ready is waited for afterwards.
#[derive(Debug)]
pub(super) struct DemoServer {
    process: Child,
    /// Kept open, so that the server can write to it.
    stdout: Lines<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
}

/// Where the server shall listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listen {
    /// At the usual address if that is free.
    Usual,
    /// As the environment says.
    Configured,
}

/// What its banner says.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) base_url: String,
    pub(super) api_key: String,
}

impl DemoServer {
    pub(super) fn spawn(
        chosen: &Chosen,
        sandbox: Option<SandboxMode>,
        listen: Listen,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("hostler-demo-").tempdir()?;
        let mut process = command(chosen, sandbox, listen, folder.path())?
            .spawn()
            .context("the server could not be started")?;
        let stdout = process.stdout.take().context("the server has no stdout")?;
        Ok(Self {
            process,
            stdout: BufReader::new(stdout).lines(),
            folder,
        })
    }

    pub(super) async fn ready(&mut self) -> anyhow::Result<Address> {
        let banner = tokio::time::timeout(START_TIME_MAX, read_banner(&mut self.stdout)).await;
        let banner = banner.context("the server did not get ready in time")??;
        let Some((base_url, api_key)) = banner else {
            let status = self.process.wait().await?;
            bail!("the server did not start ({status}); what it said is above");
        };
        Ok(Address { base_url, api_key })
    }

    /// Waits for the server to end, which it should not do by itself.
    pub(super) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        self.process
            .wait()
            .await
            .context("the server cannot be waited for")
    }

    /// Asks the server to end, waits until it has, and ends its sandboxes, which would outlive it.
    /// A signal meanwhile makes it hurry.
    pub(super) async fn stop(&mut self, signals: &mut Signals) -> anyhow::Result<()> {
        let deadline = tokio::time::Instant::now() + STOP_TIME_MAX;
        let status = loop {
            self.ask_to_end()?;
            tokio::select! {
                status = self.process.wait() => break Ok(status?),
                () = signals.next() => {}
                () = tokio::time::sleep_until(deadline) => {
                    self.process.kill().await?;
                    break Err(anyhow!("the server did not end in time and was killed"));
                }
            }
        };
        let sandboxes = self.folder.path().join("sandboxes");
        tokio::task::spawn_blocking(move || kill_all(&sandboxes))
            .await?
            .context("the sandboxes cannot be ended")?;
        let status = status?;
        if !status.success() {
            bail!("the server did not end well: {status}");
        }
        Ok(())
    }

    fn ask_to_end(&self) -> anyhow::Result<()> {
        let id = self.process.id().and_then(|id| i32::try_from(id).ok());
        // One that has ended has no id any more.
        match id.and_then(Pid::from_raw) {
            Some(pid) => kill_process(pid, Signal::TERM).context("the server cannot be stopped"),
            None => Ok(()),
        }
    }
}

/// Whatever ends the demo ends the server: a server that nobody knows of would go on for ever.
pub(super) struct Signals([tokio::signal::unix::Signal; 3]);

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    /// The next one that comes, also if it came before this was asked.
    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

fn command(
    chosen: &Chosen,
    sandbox: Option<SandboxMode>,
    listen: Listen,
    folder: &Path,
) -> anyhow::Result<Command> {
    let binary = std::env::current_exe().context("the demo does not know its own binary")?;
    let mut command = Command::new(binary);
    command.arg("serve");
    match listen {
        Listen::Configured => {}
        Listen::Usual => {
            let is_free = std::net::TcpListener::bind(USUAL_ADDRESS).is_ok();
            let address = if is_free { USUAL_ADDRESS } else { ANY_ADDRESS };
            command.args(["--listen", address]);
        }
    }
    command
        .arg("--data-dir")
        .arg(folder)
        .envs(chosen.variables.iter().map(|(name, value)| (name, value)))
        // The key shall be one of the server's own, since the demo reads it from the banner.
        .env_remove("HOSTLER_API_KEY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // Ctrl-C is for the demo, which then stops the server.
        .process_group(0)
        .kill_on_drop(true);
    if let Some(mode) = sandbox {
        command.args(["--sandbox", mode.as_str()]);
    }
    Ok(command)
}

/// The address and the key; none when the server ended instead.
async fn read_banner(
    stdout: &mut Lines<BufReader<ChildStdout>>,
) -> anyhow::Result<Option<(String, String)>> {
    let (mut base_url, mut api_key) = (None, None);
    while let Some(line) = stdout.next_line().await? {
        let line = line.trim();
        if let Some(url) = line.strip_prefix("export ANTHROPIC_BASE_URL=") {
            base_url = Some(url.to_owned());
        }
        if let Some(key) = line.strip_prefix("export ANTHROPIC_API_KEY=") {
            api_key = Some(key.to_owned());
        }
        if let (Some(url), Some(key)) = (&base_url, &api_key) {
            return Ok(Some((url.clone(), key.clone())));
        }
    }
    Ok(None)
}
