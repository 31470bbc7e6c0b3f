//! Ends the processes of a sandbox, from the host's side.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use tokio::time::timeout;

use super::agent_socket::AgentSocket;
use super::connection::ask_to_end;
use crate::isolation::Mode;
use crate::launcher::cgroup;
use crate::launcher::record::ProcessRecord;
use crate::limits::DEATH_TIME_MAX;
use crate::sys::watch::readable;

/// Kills whatever is left of a sandbox and removes its cgroups. Nothing left is fine.
pub(super) async fn end(directory: &Path, mode: Mode, cgroup_name: &str) -> io::Result<()> {
    let agent = AgentSocket::in_directory(directory);
    let record = ProcessRecord::load(directory);
    let mut cgroups = cgroup::possible_directories(cgroup_name);
    match record {
        Ok(Some(record)) => {
            cgroups.extend(
                record
                    .cgroups
                    .iter()
                    .filter(|path| !cgroups.contains(path))
                    .cloned()
                    .collect::<Vec<PathBuf>>(),
            );
            if let Some(process) = record.living_process() {
                kill(process, agent.ok().as_ref(), mode, record.pid()).await?;
            }
        }
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(directory = %directory.display(), %error, "a process record is damaged");
            if let Ok(agent) = agent {
                ask_to_end(&agent).await;
            }
        }
    }
    tokio::task::spawn_blocking(move || cgroup::remove(&cgroups))
        .await
        .map_err(io::Error::other)
}

async fn kill(
    process: OwnedFd,
    agent: Option<&AgentSocket>,
    mode: Mode,
    pid: i32,
) -> io::Result<()> {
    // Without a pid namespace the kernel does not end the children with their agent.
    if let (Mode::UnsafeProcess, Some(agent)) = (mode, agent) {
        ask_to_end(agent).await;
    }
    match pidfd_send_signal(&process, Signal::KILL) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => {}
        Err(error) => return Err(error.into()),
    }
    let process = readable(process)?;
    let dead = timeout(DEATH_TIME_MAX, process.readable()).await;
    dead.map_err(|_| io::Error::other(format!("process {pid} does not die")))??
        .clear_ready();
    // Where the server itself adopts orphans, it is the one to collect this one.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let _ = waitid(WaitId::PidFd(process.get_ref().as_fd()), options);
    Ok(())
}
