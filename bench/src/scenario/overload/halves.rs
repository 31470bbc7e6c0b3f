//! Half of the processors for the driver, the other half for the server.

use std::fs;

use anyhow::Context;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// What the driver could use before.
#[derive(Debug)]
pub(super) struct Halves(CpuSet);

impl Halves {
    /// Threads that are made later are where their makers are.
    pub(super) fn take(server: u32) -> anyhow::Result<Self> {
        let all = sched_getaffinity(None)?;
        let usable: Vec<usize> = (0..CpuSet::MAX_CPU)
            .filter(|cpu| all.is_set(*cpu))
            .collect();
        let (drivers, servers) = usable.split_at(usable.len() / 2);
        if !drivers.is_empty() {
            put(std::process::id(), &set(drivers))?;
            put(server, &set(servers))?;
        }
        Ok(Self(all))
    }

    pub(super) fn give_back(self) -> anyhow::Result<()> {
        put(std::process::id(), &self.0)
    }
}

fn set(cpus: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for cpu in cpus {
        set.set(*cpu);
    }
    set
}

/// All threads of a process. One that ends meanwhile needs no processor.
fn put(process: u32, cpus: &CpuSet) -> anyhow::Result<()> {
    for entry in fs::read_dir(format!("/proc/{process}/task")).context("the server is gone")? {
        let thread = entry?.file_name().to_string_lossy().parse().ok();
        if let Some(thread) = thread.and_then(Pid::from_raw) {
            let _ = sched_setaffinity(Some(thread), cpus);
        }
    }
    Ok(())
}
