//! Ends the sandboxes of a state directory without a host: when there is no server any more to
//! do it, and no runtime to wait in.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::retry_on_intr;
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};

use super::agent_socket::{AgentSocket, Found};
use super::processes::{delete_pod, stop_container};
use super::state_dir;
use crate::launcher::cgroup;
use crate::launcher::record::ProcessRecord;
use crate::limits::{DEATH_TIME_MAX, FAREWELL_TIME_MAX, REQUEST_BYTES_MAX};
use crate::name::SandboxName;
use crate::wire::{Request, encode};

/// Kills every sandbox below `state_dir`, also those that nobody has claimed, keeps their files, and says how many it killed. It
/// blocks until they are dead, and it may be called where there was never a server. The lock
/// of the directory is not taken: a server that is still at work there loses its sandboxes.
/// Goes on after a failure and returns the first one.
pub fn kill_all(state_dir: &Path) -> io::Result<usize> {
    let mut killed = 0;
    let mut first_failure = None;
    for folder in [
        state_dir::pool_of(state_dir),
        state_dir::boxes_of(state_dir),
    ] {
        let directories = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            directories => directories?,
        };
        for directory in directories {
            match directory.and_then(|directory| kill(&directory.path())) {
                Ok(was_alive) => killed += usize::from(was_alive),
                Err(error) => drop(first_failure.get_or_insert(error)),
            }
        }
    }
    first_failure.map_or(Ok(killed), Err)
}

/// Kills the one of this name. `Ok(false)`: it did not run, or does not exist.
pub fn kill_one(state_dir: &Path, name: &SandboxName) -> io::Result<bool> {
    kill(&state_dir::place_of(state_dir, name))
}

fn kill(directory: &Path) -> io::Result<bool> {
    let Some(record) = ProcessRecord::load(directory)? else {
        return Ok(stop_container(directory)? || delete_pod(directory)?);
    };
    let process = record.living_process();
    if let Some(process) = &process {
        // Without a pid namespace the kernel does not end the children with their agent.
        if !has_own_pid_namespace(record.pid()) {
            let _ = ask_to_end(directory);
        }
        match pidfd_send_signal(process, Signal::KILL) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
        wait_for_end(process, record.pid())?;
    }
    cgroup::remove(&record.cgroups);
    Ok(process.is_some())
}

fn has_own_pid_namespace(pid: i32) -> bool {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/pid")).ok();
    let (theirs, ours) = (namespace(&pid.to_string()), namespace("self"));
    theirs.is_some() && ours.is_some() && theirs != ours
}

/// The end of the connection is the answer, and so is anything else: it is killed next.
fn ask_to_end(directory: &Path) -> io::Result<()> {
    let mut stream = match AgentSocket::in_directory(directory)?.connect_at_once()? {
        Found::Connected(stream) => stream,
        Found::Busy => return Err(io::ErrorKind::WouldBlock.into()),
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(FAREWELL_TIME_MAX))?;
    stream.set_write_timeout(Some(FAREWELL_TIME_MAX))?;
    stream.write_all(&encode(&Request::Shutdown, REQUEST_BYTES_MAX)?)?;
    // A wait with a time limit ends with each signal, such as that of a child's end.
    let mut nothing = [0];
    loop {
        match stream.read(&mut nothing) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            ended => return ended.map(drop),
        }
    }
}

fn wait_for_end(process: &OwnedFd, pid: i32) -> io::Result<()> {
    let limit = Timespec {
        tv_sec: DEATH_TIME_MAX.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: 0,
    };
    let mut waiting = [PollFd::new(process, PollFlags::IN)];
    // Its own end may be what interrupts the wait, as a signal to whoever adopted it.
    if retry_on_intr(|| rustix::event::poll(&mut waiting, Some(&limit)))? == 0 {
        return Err(io::Error::other(format!("process {pid} does not die")));
    }
    // Where this process itself adopts orphans, it is the one to collect this one.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let _ = waitid(WaitId::PidFd(process.as_fd()), options);
    Ok(())
}
