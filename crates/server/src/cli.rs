//! The command line. Each command is a few lines here and a module of its own.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Environment, LogFormat, Overrides, SandboxMode, load};
use crate::doctor;

const HELP: &str = "\
Start with:
  hostler doctor                          is everything there that a server needs?

Settings come from flags, then from the environment (HOSTLER__SERVER__LISTEN sets server.listen), then
from hostler.toml.";

/// An open server for managed agents: point an official Anthropic SDK at it with ANTHROPIC_BASE_URL.
#[derive(Debug, Parser)]
#[command(name = "hostler", version, after_help = HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what would keep a server from working here, and what to do about it
    Doctor(Settings),
}

/// Settings that can be given on the command line.
#[derive(Debug, Args)]
struct Settings {
    /// The address to listen on, such as 127.0.0.1:4180; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The folder that holds everything the server keeps
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// The configuration file; without it, hostler.toml in the data folder or in the working directory
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How tools are kept apart from this machine
    #[arg(long, value_name = "MODE")]
    sandbox: Option<SandboxMode>,
    /// The form of the log on stderr
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

impl From<Settings> for Overrides {
    fn from(settings: Settings) -> Self {
        Self {
            config: settings.config,
            listen: settings.listen,
            data_dir: settings.data_dir,
            sandbox: settings.sandbox,
            log_format: settings.log_format,
        }
    }
}

impl Cli {
    pub fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Doctor(settings) => {
                let loaded = load(&settings.into(), environment)?;
                Ok(doctor::run(&loaded.config))
            }
        }
    }
}
