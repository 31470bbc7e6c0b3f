//! How often a process syncs, counted by strace. Everything is slower under it, so the windows that it counts
//! in are never those that are timed.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};

#[derive(Debug)]
pub(crate) struct Strace {
    child: Child,
    /// It names each thread that begins; without a reader that would be its end.
    _stderr: BufReader<ChildStderr>,
    table: PathBuf,
}

impl Strace {
    pub(crate) async fn attach(process: u32, folder: &std::path::Path) -> anyhow::Result<Self> {
        let table = folder.join("strace.txt");
        let mut child = Command::new("strace")
            .args(["-f", "-c", "-e", "trace=fsync,fdatasync", "-o"])
            .arg(&table)
            .args(["-p", &process.to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("strace is not there")?;
        let mut stderr = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut said = String::new();
        stderr.read_line(&mut said).await?;
        ensure!(said.contains("attached"), "strace can't attach: {said}");
        Ok(Self {
            child,
            _stderr: stderr,
            table,
        })
    }

    /// Detaches; the number of syncs since.
    pub(crate) async fn finish(mut self) -> anyhow::Result<u64> {
        let ended = self.child.try_wait()?;
        ensure!(ended.is_none(), "strace has ended by itself: {ended:?}");
        let process = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(process.context("strace has ended")?, Signal::INT)?;
        self.child.wait().await?;
        Ok(calls(&std::fs::read_to_string(&self.table)?))
    }
}

/// The sum of the column `calls`, the fourth; the fifth, `errors`, may be empty.
fn calls(table: &str) -> u64 {
    table
        .lines()
        .filter(|line| line.ends_with("fsync") || line.ends_with("fdatasync"))
        .filter_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_syncs_are_counted() {
        let table = "% time     seconds  usecs/call     calls    errors syscall\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     98.00    0.001000          10       100           fdatasync\n\
                      2.00    0.000010          10         1         1 fsync\n\
                     ------ ----------- ----------- --------- --------- ----------------\n\
                     100.00    0.001010          10       101         1 total\n";
        assert_eq!(calls(table), 101);
    }
}
