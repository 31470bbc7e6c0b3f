//! `hostler vaults` on the command line.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use hostler_protocol::id::VaultId;

use super::Settings;
use crate::authorize::{self, Authorize, Existing, RegisteredClient, Vault, api_key, read_secret};
use crate::config::{Environment, Secret, load};
use crate::lifecycle;
use crate::limits::{AGREE_SECONDS, AGREE_SECONDS_MAX};
use crate::vaults::{self, VaultsCommand};

const HELP: &str = "\
To change the master key while servers run:
  1. openssl rand -base64 32 > new.key, and name it in vaults.other_master_key_files of all servers; restart them
  2. make it vaults.master_key_file, and the old one one of the others; restart them
  3. hostler vaults rewrap
  4. hostler vaults keys names the new one alone: the old one can go

Keys are named by what is derived from them; no command shows one.";

const AUTHORIZE_HELP: &str = "\
Examples:
  hostler vaults authorize --new-vault ada https://mcp.example.com/mcp
  hostler vaults authorize --vault vlt_01... --replace https://mcp.example.com/mcp
  hostler vaults authorize --vault vlt_01... --client-id hostler --client-secret-file secret \\
      --redirect-uri http://localhost:8765/callback https://mcp.example.com/mcp

It finds the authorization server that the MCP server names, registers with it, and shows an address to
open in a browser. Once you have agreed there, the tokens go into the vault, and the server tries them out.

The browser may be on another machine, as over SSH: it then ends at a page that it can't reach, whose
address you paste into the terminal. What you paste is good for nothing but this one command.

The server is that of ANTHROPIC_BASE_URL, and its key is in HOSTLER_API_KEY or ANTHROPIC_API_KEY. Servers
in private networks are reached by Hostler only if its [network] settings permit them.";

#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(super) struct Vaults {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Agree in a browser that sessions use an MCP server in your name, and keep the tokens in a vault
    #[command(after_help = AUTHORIZE_HELP)]
    Authorize(AuthorizeArgs),
    /// Name the master keys that credentials are sealed with, and say which of them are here
    Keys(Settings),
    /// Seal all credentials with the master key of the settings, without opening them
    Rewrap(Settings),
}

#[derive(Debug, Args)]
struct AuthorizeArgs {
    /// The address of the MCP server, as agents name it
    mcp_server_url: String,
    /// The vault that keeps the tokens
    #[arg(
        long,
        value_name = "ID",
        required_unless_present = "new_vault",
        conflicts_with = "new_vault"
    )]
    vault: Option<VaultId>,
    /// Make a vault with this name for them
    #[arg(long, value_name = "NAME")]
    new_vault: Option<String>,
    /// What the credential is called
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// Archive the credential that the vault has for this server already
    #[arg(long, conflicts_with = "new_vault")]
    replace: bool,
    /// A client that was registered with the authorization server by hand
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
    /// A file with the secret of that client; or set HOSTLER_CLIENT_SECRET
    #[arg(long, value_name = "FILE", requires = "client_id")]
    client_secret_file: Option<PathBuf>,
    /// Where the browser is sent back to, if the client is registered for that; a free port of 127.0.0.1 without
    #[arg(long, value_name = "URL")]
    redirect_uri: Option<String>,
    /// A scope to ask for besides those that the server wants; can be given several times
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<String>,
    /// How long you have to agree
    #[arg(long, value_name = "SECONDS", default_value_t = AGREE_SECONDS,
          value_parser = clap::value_parser!(u64).range(1..=AGREE_SECONDS_MAX))]
    wait: u64,
    /// The address of the Hostler server, in place of ANTHROPIC_BASE_URL
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// A file with the key for it, in place of the environment's
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
}

/// Where `hostler serve` listens unless it is told otherwise.
const USUAL_SERVER: &str = "http://127.0.0.1:4180";

impl Vaults {
    pub(super) fn run(self, environment: &Environment) -> anyhow::Result<ExitCode> {
        let (command, settings) = match self.command {
            Verb::Authorize(args) => {
                lifecycle::run(authorize::run(args.order(environment)?))??;
                return Ok(ExitCode::SUCCESS);
            }
            Verb::Keys(settings) => (VaultsCommand::Keys, settings),
            Verb::Rewrap(settings) => (VaultsCommand::Rewrap, settings),
        };
        let loaded = load(&settings.into(), environment)?;
        lifecycle::run(vaults::run(command, &loaded.config))??;
        Ok(ExitCode::SUCCESS)
    }
}

impl AuthorizeArgs {
    fn order(self, environment: &Environment) -> anyhow::Result<Authorize> {
        let in_environment = environment.get("HOSTLER_CLIENT_SECRET");
        let secret = match &self.client_secret_file {
            Some(file) => Some(read_secret(file)?),
            None => in_environment.map(|secret| Secret::new(secret.to_owned())),
        };
        let server = self.server.as_deref();
        let server = server.or_else(|| environment.get("ANTHROPIC_BASE_URL"));
        let vault = match (self.vault, self.new_vault) {
            (Some(id), _) => Vault::There(id),
            (None, name) => Vault::New(name.unwrap_or_default()),
        };
        Ok(Authorize {
            server: server.unwrap_or(USUAL_SERVER).to_owned(),
            api_key: api_key(self.api_key_file.as_deref(), environment)?,
            vault,
            mcp_server_url: self.mcp_server_url,
            display_name: self.display_name,
            existing: match self.replace {
                true => Existing::Replaced,
                false => Existing::Kept,
            },
            client: self.client_id.map(|id| RegisteredClient { id, secret }),
            scopes: self.scope,
            redirect_uri: self.redirect_uri,
            wait: Duration::from_secs(self.wait),
        })
    }
}
