//! `hostler keys`: makes, lists and revokes the keys that open the server, beside a server that runs.
//!
//! A key is shown when it is made and never again, since only its hash is kept.

use std::fmt::Write;

use anyhow::{Context, anyhow, bail};
use hostler_domain::Env;
use hostler_protocol::id::ApiKeyId;
use hostler_store::{ApiKey, DATABASE_FILE, KeyRevoked, Store};

use crate::config::Config;
use crate::data_folder::create_private;
use crate::terminal::say;
use crate::{database, first_start};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysCommand {
    Create { name: String },
    List,
    Revoke { id: String },
}

pub async fn run(command: KeysCommand, config: &Config) -> anyhow::Result<()> {
    match command {
        KeysCommand::Create { name } => create(config, &name).await,
        KeysCommand::List => list(config).await,
        KeysCommand::Revoke { id } => revoke(config, &id).await,
    }
}

/// Works before the first start too, which then makes no key of its own.
async fn create(config: &Config, name: &str) -> anyhow::Result<()> {
    let folder = config.server.data_dir.as_path();
    create_private(folder)
        .with_context(|| format!("the data folder {} cannot be made", folder.display()))?;
    let (store, env) = (database::open_aside(config).await?, Env::system());
    let workspace = first_start::workspace(&store, &env).await?;
    let key = first_start::create_key(&store, &env, &workspace, name).await?;
    say(&format!("{}\n", key.reveal()));
    // Not on stdout, which a script may read the key from.
    eprintln!("The key is shown this once: only its hash is kept.");
    Ok(())
}

async fn list(config: &Config) -> anyhow::Result<()> {
    let (store, env) = (open_existing(config).await?, Env::system());
    let workspace = first_start::workspace(&store, &env).await?;
    say(&table(&store.api_keys(workspace.id).await?));
    Ok(())
}

async fn revoke(config: &Config, id: &str) -> anyhow::Result<()> {
    let key: ApiKeyId = id
        .parse()
        .map_err(|_| anyhow!("{id:?} is not the id of a key; `hostler keys list` shows them"))?;
    let (store, env) = (open_existing(config).await?, Env::system());
    let workspace = first_start::workspace(&store, &env).await?;
    match store.revoke_api_key(workspace.id, key, env.now()).await? {
        KeyRevoked::Revoked => say(&format!("{key} is revoked.\n")),
        KeyRevoked::Already => say(&format!("{key} was revoked before.\n")),
        KeyRevoked::NoSuchKey => bail!("there is no key {key}"),
    }
    Ok(())
}

async fn open_existing(config: &Config) -> anyhow::Result<Store> {
    let folder = config.server.data_dir.as_path();
    if config.database.address.is_none() && !folder.join(DATABASE_FILE).is_file() {
        let shown = folder.display();
        bail!("{shown} holds no server's data; name the data folder with --data-dir");
    }
    database::open_aside(config).await
}

/// One line a key, oldest first.
fn table(keys: &[ApiKey]) -> String {
    let id_width = keys
        .iter()
        .map(|key| key.id.to_string().len())
        .max()
        .unwrap_or(0);
    let name_width = keys
        .iter()
        .map(|key| key.name.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for key in keys {
        let id = key.id.to_string();
        let revoked = key
            .revoked_at
            .map(|at| format!(", revoked {at}"))
            .unwrap_or_default();
        let _ = writeln!(
            text,
            "{id:id_width$}  {:name_width$}  …{:4}  made {}{revoked}",
            key.name, key.hint, key.created_at
        );
    }
    text
}
