//! Starts the launcher and hears how it went.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::error::SandboxError;
use crate::isolation::IsolationReport;
use crate::launcher::order::{LaunchAnswer, LaunchOrder};
use crate::limits::{LAUNCH_ANSWER_BYTES_MAX, LAUNCH_TIME_MAX};

/// The subcommand of the server; all that `/proc/1/cmdline` inside will show.
const ARGUMENT: &str = "sandbox-init";

/// Given up, it kills the launcher, and with that a sandbox that is not ready.
pub(super) async fn launch(
    launcher: &Path,
    order: &LaunchOrder,
) -> Result<IsolationReport, SandboxError> {
    let failed = |reason: String| SandboxError::Unavailable { reason };
    match timeout(LAUNCH_TIME_MAX, run(launcher, order)).await {
        Err(_) => Err(failed(format!(
            "not ready within {} s",
            LAUNCH_TIME_MAX.as_secs()
        ))),
        Ok(Err(error)) => Err(failed(format!("the launcher does not work: {error}"))),
        Ok(Ok(LaunchAnswer::Failed { reason })) => Err(failed(reason)),
        Ok(Ok(LaunchAnswer::Ready { isolation })) => Ok(isolation),
    }
}

async fn run(launcher: &Path, order: &LaunchOrder) -> std::io::Result<LaunchAnswer> {
    let text = serde_json::to_vec(order)?;
    let mut command = Command::new(launcher);
    command
        .arg0("hostler")
        .arg(ARGUMENT)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    // It blocks until the new process has left ours; what else the runtime does goes on. Given
    // up here, the child is killed when the closure's result is dropped.
    let spawned = tokio::task::spawn_blocking(move || command.spawn()).await;
    let mut child = spawned.map_err(std::io::Error::other)??;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("it has no pipes"));
    };
    // One that ends before it took its order says why, or its status does.
    let _ = input.write_all(&text).await;
    drop(input);
    let mut answer = Vec::new();
    output
        .take(LAUNCH_ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)
        .await?;
    let status = child.wait().await?;
    if answer.is_empty() {
        return Err(std::io::Error::other(format!(
            "it said nothing and ended with {status}"
        )));
    }
    Ok(serde_json::from_slice(&answer)?)
}
