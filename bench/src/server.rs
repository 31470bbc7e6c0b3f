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
        let mut stdout = BufReader::new(child.stdout.take().context("no stdout")?);
        let address = match timeout(START_WAIT, read_banner(&mut stdout)).await {
            Ok(Ok(address)) => address,
            Ok(Err(error)) => return Err(error.context(last_lines(data))),
            Err(_elapsed) => bail!(
                "the server is not ready after {START_WAIT:?}; {}",
                last_lines(data)
            ),
        };
        let ready_after = begun.elapsed();
        let process = child.id().context("the server has ended")?;
        let target = Target {
            address: address.parse()?,
            key: KEY.to_owned(),
        };
        Ok(Self {
            child,
            _stdout: stdout,
            process,
            target,
            ready_after,
        })
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
