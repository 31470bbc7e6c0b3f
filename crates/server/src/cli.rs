//! The command line. Each command is a few lines here and a module of its own.

mod vaults;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::backup::{self, BackupCommand};
use crate::config::{Environment, LogFormat, Overrides, SandboxMode, load};
use crate::demo::{self, DemoOptions, Then};
use crate::images::{self, ImagesCommand};
use crate::keys::{self, KeysCommand};
use crate::migrate::{self, MigrateCommand};
use crate::sandboxes::exec::{Bytes, ExecCommand};
use crate::sandboxes::{self, Form, SandboxesCommand};
use crate::terminal::say;
use crate::transfer::{self, TransferCommand};
use crate::{doctor, lifecycle, logging, serve};
use vaults::Vaults;

const HELP: &str = "\
Start with:
  hostler serve                           a server on 127.0.0.1:4180, with its data in ./hostler-data
  hostler demo                            a server, and a session that works in it; needs no key

Then:
  hostler doctor                          is everything there that a server needs?
  hostler serve --print-config            which settings are in force, and where they come from
  hostler keys create --name laptop       another key
  hostler vaults authorize --help         let sessions use an MCP server in your name

Settings come from flags, then from the environment (HOSTLER__SERVER__LISTEN sets server.listen), then
from hostler.toml.";

const SERVE_HELP: &str = "\
Examples:
  hostler serve --listen 0.0.0.0:4180 --data-dir /var/lib/hostler
  HOSTLER__PROVIDERS__ANTHROPIC__API_KEY=sk-ant-... hostler serve
  HOSTLER_API_KEY=... hostler serve       the first start takes this as its first key

SIGTERM or Ctrl-C lets requests and sessions come to a good place; a second one hurries.";

const DEMO_HELP: &str = "\
The model is a script that needs no key. With ANTHROPIC_API_KEY set it is Claude, with OPENAI_BASE_URL,
OPENAI_MODEL and, if need be, OPENAI_API_KEY it is the model at that address.";

const SANDBOXES_HELP: &str = "\
Examples:
  hostler sandboxes list                           every sandbox, with its memory and disk
  hostler sandboxes inspect sesn_01...             what closes it off, and what runs in it
  hostler sandboxes exec sesn_01...                a shell inside, in a terminal
  hostler sandboxes exec sesn_01... -- ls -l       one command inside, and its exit code
  hostler sandboxes kill sesn_01...                its processes end, its files stay

They work beside a server and without one, for the user that the server runs as.";

const IMAGES_HELP: &str = "\
A sandbox has the programs of this machine, or a root file system of its own:
  hostler images pull oci:docker.io/library/python:3.12     from a registry, without Docker
  hostler images pull tar:/srv/root.tar.zst                 what mmdebstrap or docker export writes
  hostler images pull oci-layout:/srv/image                 what skopeo copy or docker save writes
  hostler images pull dir:/srv/root                         a directory, which is copied

Then set sandbox.root to the same words, or list them in sandbox.allowed_roots and let an environment
choose one by the key hostler.root of its metadata. A root needs /bin/bash.";

/// An open server for managed agents: point an official Anthropic SDK at it with ANTHROPIC_BASE_URL.
#[derive(Debug, Parser)]
#[command(name = "hostler", version, after_help = HELP, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server until it is interrupted
    Serve(Serve),
    /// Start a server and run the quickstart of the hosted documentation on it
    Demo(Demo),
    /// Make, list and revoke the keys that open the server
    Keys(Keys),
    /// Look at the version of the database's tables, and bring them up to date
    Migrate(Migrate),
    /// Write all rows of the database to a file, while no server uses the data folder
    Export(Transfer),
    /// Fill an empty database with what was exported: all of it or nothing
    Import(Transfer),
    /// Obtain credentials for MCP servers, and change the master key that all are sealed with
    Vaults(Vaults),
    /// Copy everything that the server keeps, while it runs, to a folder or a bucket
    Backup(BackupArgs),
    /// Bring a backup back, into an empty data folder (and an empty bucket and database)
    Restore(RestoreArgs),
    /// Look at the sandboxes on this machine, enter them, and end their processes
    Sandboxes(Sandboxes),
    /// Fetch, list and remove the root file systems that sandboxes can be made of
    Images(Images),
    /// Say what would keep a server from working here, and what to do about it
    Doctor(Settings),
}

#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
struct Serve {
    #[command(flatten)]
    settings: Settings,
    /// Print the configuration that is in force, each key with its origin, and end
    #[arg(long)]
    print_config: bool,
}

#[derive(Debug, Args)]
#[command(after_help = DEMO_HELP)]
struct Demo {
    /// End when the session has, and say by the exit code whether all went well
    #[arg(long)]
    exit: bool,
    /// The model, where it should not follow from the environment
    #[arg(long, value_name = "ID")]
    model: Option<String>,
    /// How tools are kept apart from this machine
    #[arg(long, value_name = "MODE")]
    sandbox: Option<SandboxMode>,
}

#[derive(Debug, Args)]
#[command(after_help = IMAGES_HELP)]
struct Images {
    #[command(subcommand)]
    command: ImagesVerb,
}

#[derive(Debug, Subcommand)]
enum ImagesVerb {
    /// Fetch or copy an image, also one that is there, if it has changed
    Pull {
        /// Where it comes from: dir:/path, tar:/path, oci-layout:/path or oci:registry/name:tag
        source: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// List the images that are there
    List(Settings),
    /// Remove an image that no sandbox is made of
    Remove {
        /// Its source, or the start of its digest
        image: String,
        #[command(flatten)]
        settings: Settings,
    },
}

impl Images {
    fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        let (command, settings) = match self.command {
            ImagesVerb::Pull { source, settings } => (ImagesCommand::Pull { source }, settings),
            ImagesVerb::List(settings) => (ImagesCommand::List, settings),
            ImagesVerb::Remove { image, settings } => (ImagesCommand::Remove { image }, settings),
        };
        let loaded = load(&settings.into(), environment)?;
        lifecycle::run(images::run(command, &loaded.config))??;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
struct Keys {
    #[command(subcommand)]
    command: KeysVerb,
}

#[derive(Debug, Subcommand)]
enum KeysVerb {
    /// Make a key and show it, this once
    Create {
        /// What the key is for
        #[arg(long, default_value = "unnamed")]
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
    /// List all keys, revoked ones too
    List(Settings),
    /// Revoke a key: within a second nothing is answered to it any more
    Revoke {
        /// The id of the key, which `hostler keys list` shows
        id: String,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
struct Transfer {
    /// The file, which holds all that people said to agents
    file: PathBuf,
    #[command(flatten)]
    settings: Settings,
}

impl Transfer {
    fn run(
        self,
        command: fn(PathBuf) -> TransferCommand,
        environment: &Environment,
    ) -> anyhow::Result<ExitCode> {
        let loaded = load(&self.settings.into(), environment)?;
        lifecycle::run(transfer::run(command(self.file), &loaded.config))??;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
struct BackupArgs {
    /// A folder, or s3://BUCKET/PREFIX with the key and the endpoint of [blobs]; it may hold other backups
    place: String,
    /// Then delete all backups of the folder but the newest NUMBER, and what only they needed
    #[arg(long, value_name = "NUMBER")]
    keep: Option<NonZeroUsize>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
struct RestoreArgs {
    /// Where the backup is: a folder, or s3://BUCKET/PREFIX
    place: String,
    /// Its name, as `hostler backup` has said it; the newest one without
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

fn backup(
    command: BackupCommand,
    settings: Settings,
    environment: &Environment,
) -> anyhow::Result<ExitCode> {
    let loaded = load(&settings.into(), environment)?;
    lifecycle::run(backup::run(command, &loaded.config))??;
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, Args)]
struct Migrate {
    #[command(subcommand)]
    command: MigrateVerb,
}

#[derive(Debug, Subcommand)]
enum MigrateVerb {
    /// Show the version that is there and the one that this program needs
    Status(Settings),
    /// Bring the tables up to date, beside no server of an older version
    Apply(Settings),
}

impl Migrate {
    fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        let (command, settings) = match self.command {
            MigrateVerb::Status(settings) => (MigrateCommand::Status, settings),
            MigrateVerb::Apply(settings) => (MigrateCommand::Apply, settings),
        };
        let loaded = load(&settings.into(), environment)?;
        migrate::run(command, &loaded.config)?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
#[command(after_help = SANDBOXES_HELP)]
struct Sandboxes {
    #[command(subcommand)]
    command: SandboxesVerb,
}

#[derive(Debug, Subcommand)]
enum SandboxesVerb {
    /// List all sandboxes, also those without processes
    List {
        /// As JSON, for scripts
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Show what separates a sandbox from this machine, what it may use, and what runs in it
    Inspect {
        /// The name of the sandbox, which is the id of its session
        name: String,
        /// As JSON, for scripts
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
    /// Run a command inside a running sandbox, confined as everything in it; without one, a shell
    Exec {
        /// The name of the sandbox, which is the id of its session
        name: String,
        /// Output that is not for a terminal as it comes, also what a terminal could take for commands
        #[arg(long)]
        raw: bool,
        /// The command and its arguments, after `--`
        #[arg(last = true, value_name = "COMMAND")]
        words: Vec<String>,
        #[command(flatten)]
        settings: Settings,
    },
    /// End the processes of a sandbox; its files stay, and its session goes on with them
    Kill {
        /// The name of the sandbox, which is the id of its session
        name: String,
        #[command(flatten)]
        settings: Settings,
    },
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
    /// A PostgreSQL database in place of the file in the data folder. A password is seen by whoever lists this
    /// machine's processes: rather set HOSTLER__DATABASE__URL or database.url_file
    #[arg(long, value_name = "URL")]
    database: Option<String>,
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
            database: settings.database,
            sandbox: settings.sandbox,
            log_format: settings.log_format,
        }
    }
}

impl Cli {
    pub fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(serve) => serve.run(environment),
            Command::Demo(demo) => {
                let options = DemoOptions {
                    then: if demo.exit { Then::Exit } else { Then::StayUp },
                    sandbox: demo.sandbox,
                    model: demo.model,
                };
                lifecycle::run(demo::run(options, environment))?
            }
            Command::Keys(keys) => {
                let (command, settings) = match keys.command {
                    KeysVerb::Create { name, settings } => (KeysCommand::Create { name }, settings),
                    KeysVerb::List(settings) => (KeysCommand::List, settings),
                    KeysVerb::Revoke { id, settings } => (KeysCommand::Revoke { id }, settings),
                };
                let loaded = load(&settings.into(), environment)?;
                lifecycle::run(keys::run(command, &loaded.config))??;
                Ok(ExitCode::SUCCESS)
            }
            Command::Migrate(migrate) => migrate.run(environment),
            Command::Export(transfer) => transfer.run(TransferCommand::Export, environment),
            Command::Import(transfer) => transfer.run(TransferCommand::Import, environment),
            Command::Vaults(vaults) => vaults.run(environment),
            Command::Backup(make) => {
                let BackupArgs {
                    place,
                    keep,
                    settings,
                } = make;
                backup(BackupCommand::Make { place, keep }, settings, environment)
            }
            Command::Restore(restore) => {
                let RestoreArgs {
                    place,
                    name,
                    settings,
                } = restore;
                backup(
                    BackupCommand::Restore { place, name },
                    settings,
                    environment,
                )
            }
            Command::Sandboxes(sandboxes) => sandboxes.command.run(environment),
            Command::Images(images) => images.run(environment),
            Command::Doctor(settings) => {
                let loaded = load(&settings.into(), environment)?;
                lifecycle::run(doctor::run(&loaded.config))
            }
        }
    }
}

impl SandboxesVerb {
    fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        let form = |json| if json { Form::Json } else { Form::Text };
        let (command, settings) = match self {
            Self::List { json, settings } => (SandboxesCommand::List(form(json)), settings),
            Self::Inspect {
                name,
                json,
                settings,
            } => {
                let form = form(json);
                (SandboxesCommand::Inspect { name, form }, settings)
            }
            Self::Kill { name, settings } => (SandboxesCommand::Kill { name }, settings),
            Self::Exec {
                name,
                raw,
                words,
                settings,
            } => {
                let command = ExecCommand {
                    name,
                    words,
                    bytes: if raw {
                        Bytes::AsTheyAre
                    } else {
                        Bytes::Cleaned
                    },
                    terminal_kind: environment.get("TERM").map(str::to_owned),
                };
                return Ok(exec(command, settings, environment));
            }
        };
        let loaded = load(&settings.into(), environment)?;
        sandboxes::run(command, &loaded.config)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What goes wrong here has an exit code that a command's own hardly is.
const EXEC_FAILURE: u8 = 255;

fn exec(command: ExecCommand, settings: Settings, environment: &Environment) -> ExitCode {
    let run = || {
        let loaded = load(&settings.into(), environment)?;
        lifecycle::run(sandboxes::exec::run(command, &loaded.config))?
    };
    run().unwrap_or_else(|error: anyhow::Error| {
        eprintln!("hostler: {error:#}");
        EXEC_FAILURE.into()
    })
}

impl Serve {
    fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        let loaded = load(&self.settings.into(), environment)?;
        if self.print_config {
            say(&loaded.to_toml());
            return Ok(ExitCode::SUCCESS);
        }
        logging::start(&loaded.config.log)?;
        if let Some(file) = &loaded.file {
            tracing::info!(file = %file.display(), "configuration file");
        }
        let given_key = environment.get("HOSTLER_API_KEY");
        let ending = lifecycle::run(serve::run(loaded.config, given_key))??;
        Ok(ending.exit_code())
    }
}
