//! The command line of the driver.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::ensure;
use clap::{Parser, ValueEnum};

/// Measure a Hostler server against the floor of the machine that it runs on.
#[derive(Debug, Parser)]
#[command(name = "hostler-bench")]
pub(crate) struct Options {
    /// What to measure
    #[arg(default_value = "all")]
    scenario: Choice,
    /// The server's binary; without it, the one beside this program
    #[arg(long, value_name = "FILE", env = "HOSTLER_BIN")]
    server: Option<PathBuf>,
    /// Seconds that each timed step lasts
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Small numbers, to see that everything works; the figures say little
    #[arg(long)]
    pub(crate) smoke: bool,
    /// Tool calls of the session that the turn overhead is measured on
    #[arg(long)]
    turns: Option<usize>,
    /// Idle readers of event streams
    #[arg(long)]
    readers: Option<usize>,
    /// Sessions that are stored while it is measured what is idle or grows, or that are active at once
    #[arg(long)]
    sessions: Option<usize>,
    /// Events of the session with a long past that is woken up
    #[arg(long)]
    past: Option<usize>,
    /// How often the server is killed while clients use it
    #[arg(long)]
    kills: Option<usize>,
    /// How often the server is overloaded, in turns with loads that it can take
    #[arg(long)]
    rounds: Option<usize>,
    /// What the choices of clients and the moments of kills are derived from
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Turns that begin in a second, where turns begin at a given rate
    #[arg(long, default_value_t = 50)]
    pub(crate) rate: u64,
    /// Count syncs with strace, in windows of their own
    #[arg(long)]
    pub(crate) strace: bool,
    /// Where the data folders go; their file system is what is measured. Without it, beside this program
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// Where `bench/rivals/install` has put other servers
    #[arg(long, value_name = "FOLDER", default_value = "target/rivals")]
    pub(crate) rivals: PathBuf,
    /// Write the report as JSON too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    All,
    /// P1: from the model's last byte to the next model request
    TurnOverhead,
    /// P2: time to the first token
    FirstToken,
    /// P3: messages acknowledged in a second
    Append,
    /// P4: idle readers of event streams
    Readers,
    /// P5: a sandbox and its first command
    Sandbox,
    /// P6: memory, start and wake-up
    Idle,
    /// P7: what a turn without tools adds to the model
    ModelPath,
    /// P8: tool calls in a second, and many sessions at once
    Capacity,
    /// P9: whether costs grow with what is stored
    Growth,
    /// P1, P3, P8 beside other servers, as far as they are installed. Not part of `all`, but for a smoke run
    Rivals,
    /// R1, R2: killed again and again under load, with the clients' own books as the judge. Not part of
    /// `all`, but for a smoke run
    Kills,
    /// R6: three times what it can take. Not part of `all`, but for a smoke run
    Overload,
}

impl Options {
    pub(crate) fn server(&self) -> anyhow::Result<PathBuf> {
        let path = match &self.server {
            Some(path) => path.clone(),
            None => std::env::current_exe()?.with_file_name("hostler"),
        };
        ensure!(
            path.is_file(),
            "{} is not there: build it (`make build`), or name a server with --server",
            path.display()
        );
        // A relative path would be looked for on PATH.
        Ok(path.canonicalize()?)
    }

    pub(crate) fn folder(&self) -> anyhow::Result<PathBuf> {
        let beside = || Some(std::env::current_exe().ok()?.parent()?.to_owned());
        let folder = self.folder.clone().or_else(beside);
        Ok(folder.unwrap_or_else(std::env::temp_dir))
    }

    pub(crate) fn step(&self) -> Duration {
        Duration::from_secs(if self.smoke { 1 } else { self.seconds.max(1) })
    }

    pub(crate) fn turns(&self) -> usize {
        self.turns.unwrap_or(self.few_or(20, 200)).max(10)
    }

    pub(crate) fn readers(&self) -> usize {
        self.readers.unwrap_or(self.few_or(100, 1_000)).max(10)
    }

    pub(crate) fn sessions(&self) -> usize {
        self.sessions.unwrap_or(self.few_or(50, 1_000)).max(1)
    }

    /// Sessions that are stored while it is measured whether the costs grow with them.
    pub(crate) fn grown(&self) -> usize {
        self.sessions.unwrap_or(self.few_or(40, 10_000)).max(20)
    }

    /// Sessions that are active at once.
    pub(crate) fn crowd(&self) -> usize {
        self.sessions.unwrap_or(self.few_or(10, 1_000)).max(1)
    }

    pub(crate) fn past(&self) -> usize {
        self.past.unwrap_or(self.few_or(100, 1_000)).max(10)
    }

    /// Rounds of what is done in turns.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.unwrap_or(self.few_or(1, 4)).max(1)
    }

    pub(crate) fn kills(&self) -> usize {
        self.kills.unwrap_or(self.few_or(15, 1_000))
    }

    /// Whether this scenario is to be run.
    pub(crate) fn wants(&self, scenario: Choice) -> bool {
        let takes_long = matches!(scenario, Choice::Kills | Choice::Overload | Choice::Rivals);
        self.scenario == scenario || (self.scenario == Choice::All && (self.smoke || !takes_long))
    }

    pub(crate) fn few_or(&self, few: usize, many: usize) -> usize {
        if self.smoke { few } else { many }
    }
}
