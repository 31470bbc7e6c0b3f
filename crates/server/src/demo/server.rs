//! The server of the demo: this same binary, as a process of its own, in a folder that goes with it.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use hostler_sandbox::kill_all;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::model::Chosen;
use crate::config::SandboxMode;

const START_TIME_MAX: Duration = Duration::from_secs(60);
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
/// The address of `hostler serve`, so that what the demo prints is what will be seen later.
const USUAL_ADDRESS: &str = "127.0.0.1:4180";
const ANY_ADDRESS: &str = "127.0.0.1:0";

#[derive(Debug)]
pub(super) struct DemoServer {
    pub(super) base_url: String,
    pub(super) api_key: String,
    process: Child,
    /// Kept open, so that the server can write to it.
    _stdout: Lines<BufReader<ChildStdout>>,
    folder: tempfile::TempDir,
}

impl DemoServer {
    pub(super) async fn start(
        chosen: &Chosen,
        sandbox: Option<SandboxMode>,
    ) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("hostler-demo-").tempdir()?;
        let mut process = command(chosen, sandbox, folder.path())?
            .spawn()
            .context("the server could not be started")?;
        let stdout = process.stdout.take().context("the server has no stdout")?;
        let mut stdout = BufReader::new(stdout).lines();
        let banner = tokio::time::timeout(START_TIME_MAX, read_banner(&mut stdout)).await;
        let Some((base_url, api_key)) =
            banner.context("the server did not get ready in time")??
        else {
            let status = process.wait().await?;
            bail!("the server did not start ({status}); what it said is above");
        };
        Ok(Self {
            base_url,
            api_key,
            process,
            _stdout: stdout,
            folder,
        })
    }

    /// Waits for the server to end, which it should not do by itself.
    pub(super) async fn ended(&mut self) -> anyhow::Result<ExitStatus> {
        self.process
            .wait()
            .await
            .context("the server cannot be waited for")
    }

    /// Asks the server to end, waits until it has, and ends its sandboxes, which would outlive it.
    pub(super) async fn stop(&mut self) -> anyhow::Result<()> {
        let pid = self
            .process
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        let Some(pid) = pid else { return Ok(()) };
        kill_process(pid, Signal::TERM).context("the server cannot be stopped")?;
        let status = tokio::time::timeout(STOP_TIME_MAX, self.process.wait()).await;
        let status = status.context("the server did not end in time")??;
        let sandboxes = self.folder.path().join("sandboxes");
        tokio::task::spawn_blocking(move || kill_all(&sandboxes))
            .await?
            .context("the sandboxes cannot be ended")?;
        if !status.success() {
            bail!("the server did not end well: {status}");
        }
        Ok(())
    }
}

fn command(
    chosen: &Chosen,
    sandbox: Option<SandboxMode>,
    folder: &Path,
) -> anyhow::Result<Command> {
    let binary = std::env::current_exe().context("the demo does not know its own binary")?;
    let usual_is_free = std::net::TcpListener::bind(USUAL_ADDRESS).is_ok();
    let mut command = Command::new(binary);
    command
        .args([
            "serve",
            "--listen",
            if usual_is_free {
                USUAL_ADDRESS
            } else {
                ANY_ADDRESS
            },
        ])
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
