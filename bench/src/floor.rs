//! The floor: what the machine itself takes for the three things that no server of this kind can do
//! without. It is measured in the run of each scenario, between its steps, so that both see the same load.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use serde_json::{Value, json};

use crate::samples::{Samples, Summary};

/// Bytes of one append: about an event.
const ROW_BYTES: usize = 512;

/// What can be measured. Cheap to clone; all clones share the samples.
#[derive(Debug, Clone)]
pub(crate) struct Floor(Arc<Mutex<Instruments>>);

#[derive(Debug)]
struct Instruments {
    log: File,
    near: TcpStream,
    _far: JoinHandle<()>,
    sync: Samples,
    spawn: Samples,
    round_trip: Samples,
}

/// The floor as far as it has been measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FloorSummary {
    pub(crate) sync: Summary,
    pub(crate) spawn: Summary,
    pub(crate) round_trip: Summary,
}

impl Floor {
    /// `folder` must be on the file system of the server's data.
    pub(crate) fn new(folder: &Path) -> anyhow::Result<Self> {
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("floor.log"))
            .context("the floor's file")?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let near = TcpStream::connect(listener.local_addr()?)?;
        near.set_nodelay(true)?;
        let (far, _) = listener.accept()?;
        far.set_nodelay(true)?;
        Ok(Self(Arc::new(Mutex::new(Instruments {
            log,
            near,
            _far: std::thread::spawn(move || echo(far)),
            sync: Samples::default(),
            spawn: Samples::default(),
            round_trip: Samples::default(),
        }))))
    }

    /// Each of the three once. Blocks for some milliseconds.
    pub(crate) fn measure(&self) -> anyhow::Result<()> {
        let mut instruments = self.instruments();
        instruments.round_trip()?;
        instruments.sync()?;
        instruments.spawn()
    }

    /// The append alone, as often as it fits into the time: the rate that single rows could reach.
    pub(crate) fn measure_syncs(&self, during: Duration) -> anyhow::Result<Rate> {
        let mut instruments = self.instruments();
        let begun = Instant::now();
        let mut syncs = 0_usize;
        while begun.elapsed() < during {
            instruments.sync()?;
            syncs += 1;
        }
        Ok(Rate {
            times: syncs,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    pub(crate) fn summary(&self) -> FloorSummary {
        let instruments = self.instruments();
        FloorSummary {
            sync: instruments.sync.summary(),
            spawn: instruments.spawn.summary(),
            round_trip: instruments.round_trip.summary(),
        }
    }

    fn instruments(&self) -> std::sync::MutexGuard<'_, Instruments> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often something was done in which time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rate {
    pub(crate) times: usize,
    pub(crate) seconds: f64,
}

impl Rate {
    pub(crate) fn and(self, other: Rate) -> Rate {
        Rate {
            times: self.times + other.times,
            seconds: self.seconds + other.seconds,
        }
    }

    pub(crate) fn per_second(self) -> f64 {
        self.times as f64 / self.seconds.max(f64::EPSILON)
    }
}

impl FloorSummary {
    /// What a turn with one tool call can't do without: one durable append and one `bash`.
    pub(crate) fn turn_p50_ms(&self) -> f64 {
        self.sync.p50 + self.spawn.p50
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "fdatasync_512_bytes": self.sync.json(),
            "spawn_bash_true": self.spawn.json(),
            "loopback_round_trip": self.round_trip.json(),
        })
    }

    pub(crate) fn rows(&self) -> [(&'static str, Summary); 3] {
        [
            ("fdatasync of 512 bytes", self.sync),
            ("spawn of `bash -c true`", self.spawn),
            ("loopback round trip", self.round_trip),
        ]
    }
}

/// `bash -c true` on all cores, as often as it fits into the time. Blocks.
pub(crate) fn spawn_rate(during: Duration) -> anyhow::Result<Rate> {
    let cores = std::thread::available_parallelism()?.get();
    let begun = Instant::now();
    let on_one_core = || {
        let mut times = 0_usize;
        while begun.elapsed() < during {
            spawn()?;
            times += 1;
        }
        anyhow::Ok(times)
    };
    let times = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(on_one_core)).collect();
        let all = threads.into_iter().map(|thread| {
            let ended = thread.join().map_err(|_| anyhow!("a thread has panicked"));
            ended.flatten()
        });
        all.sum::<anyhow::Result<usize>>()
    })?;
    Ok(Rate {
        times,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

/// The standard library spawns with `posix_spawn` where nothing stands against it, as here.
fn spawn() -> anyhow::Result<()> {
    let status = Command::new("bash")
        .args(["-c", "true"])
        .stdin(Stdio::null())
        .status()
        .context("the floor needs bash")?;
    ensure!(status.success(), "`bash -c true` ended with {status}");
    Ok(())
}

impl Instruments {
    fn sync(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        self.log.write_all(&[b'.'; ROW_BYTES])?;
        self.log.sync_data()?;
        self.sync.push(begun.elapsed());
        Ok(())
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        spawn()?;
        self.spawn.push(begun.elapsed());
        Ok(())
    }

    fn round_trip(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        let mut byte = [0];
        self.near.write_all(&byte)?;
        self.near.read_exact(&mut byte)?;
        self.round_trip.push(begun.elapsed());
        Ok(())
    }
}

/// The other end of the round trip, until the near end is closed.
fn echo(mut far: TcpStream) {
    let mut byte = [0];
    while far.read_exact(&mut byte).is_ok() && far.write_all(&byte).is_ok() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_measurement_leaves_one_sample_of_each_kind() {
        let folder = tempfile::tempdir().unwrap();
        let floor = Floor::new(folder.path()).unwrap();
        floor.measure().unwrap();
        floor.clone().measure().unwrap();
        let counts = floor.summary().rows().map(|(_, summary)| summary.n);
        assert_eq!(counts, [2, 2, 2]);
    }
}
