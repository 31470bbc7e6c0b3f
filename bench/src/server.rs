//! The server under test: started as a user starts it, with its model provider pointed at the instant
//! model, and ended by its own process id.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::client::Target;
use crate::model::Model;

/// A server that says nothing for so long will not come up.
const START_WAIT: Duration = Duration::from_secs(30);
/// Longer than the grace that the server gives its own work.
const STOP_WAIT: Duration = Duration::from_secs(20);

const KEY: &str = "the-key-of-the-benchmarks-and-of-nothing-else";

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Held open: a server whose banner nobody reads should not notice.
    _stdout: BufReader<ChildStdout>,
    pub(crate) process: u32,
    pub(crate) target: Target,
    /// From the spawn to the banner that says it is ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    pub(crate) async fn start(binary: &Path, data: &Path, model: &Model) -> anyhow::Result<Self> {
        let mut starting = Starting::spawn(binary, data, model)?;
        match timeout(START_WAIT, starting.until_ready()).await {
            Ok(Ok(target)) => starting.server(target),
            Ok(Err(error)) => Err(error.context(last_lines(data))),
            Err(_elapsed) => bail!(
                "the server is not ready after {START_WAIT:?}; {}",
                last_lines(data)
            ),
        }
    }

    /// Ends it at once, as a crash does, and waits until it is gone.
    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, and waits for that.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let process = i32::try_from(self.process).ok().and_then(Pid::from_raw);
        kill_process(process.context("no process id")?, Signal::TERM)?;
        match timeout(STOP_WAIT, self.child.wait()).await {
            Ok(status) => {
                status?;
            }
            Err(_elapsed) => {
                self.child.kill().await?;
                bail!("the server had to be killed {STOP_WAIT:?} after SIGTERM");
            }
        }
        Ok(())
    }
}

/// A server that was spawned and has not said yet that it is ready.
#[derive(Debug)]
pub(crate) struct Starting {
    child: Child,
    stdout: BufReader<ChildStdout>,
    begun: Instant,
}

impl Starting {
    pub(crate) fn spawn(binary: &Path, data: &Path, model: &Model) -> anyhow::Result<Self> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log_of(data))?;
        let begun = Instant::now();
        let mut child = Command::new(binary)
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .env("HOSTLER_API_KEY", KEY)
            .env(
                "HOSTLER__PROVIDERS__ANTHROPIC__BASE_URL",
                format!("http://{}", model.address()),
            )
            .env("HOSTLER__PROVIDERS__ANTHROPIC__API_KEY", "none")
            .env("HOSTLER__RATE_LIMITS__ENABLED", "false")
            .env("HOSTLER__LOG__FILTER", "warn")
            .env("HOSTLER__SERVER__SHUTDOWN_GRACE", "2s")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        Ok(Self {
            child,
            stdout,
            begun,
        })
    }

    /// Where it listens. Not cancel-safe: one that is given up is killed.
    pub(crate) async fn until_ready(&mut self) -> anyhow::Result<Target> {
        let address = read_banner(&mut self.stdout).await?;
        Ok(Target {
            address: address.parse()?,
            key: KEY.to_owned(),
        })
    }

    /// The server, right after it became ready.
    pub(crate) fn server(self, target: Target) -> anyhow::Result<Server> {
        let ready_after = self.begun.elapsed();
        let process = self.child.id().context("the server has ended")?;
        Ok(Server {
            child: self.child,
            _stdout: self.stdout,
            process,
            target,
            ready_after,
        })
    }

    pub(crate) async fn kill(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}

async fn read_banner(stdout: &mut BufReader<ChildStdout>) -> anyhow::Result<String> {
    let mut lines = stdout.lines();
    while let Some(line) = lines.next_line().await? {
        if let Some(address) = line
            .trim()
            .strip_prefix("export ANTHROPIC_BASE_URL=http://")
        {
            return Ok(address.to_owned());
        }
    }
    bail!("the server ended before it was ready")
}

pub(crate) fn log_of(data: &Path) -> PathBuf {
    data.with_extension("log")
}

/// The end of the server's log, for the message of an error.
pub(crate) fn last_lines(data: &Path) -> String {
    const LINES: usize = 20;
    let log = std::fs::read_to_string(log_of(data)).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    format!("the last lines of its log:\n{}", last.join("\n"))
}
