//! `hostler vaults`: which master keys credentials are sealed with, and the way from one to the next.

use anyhow::{Context, bail};
use hostler_store::{CredentialReplaced, Store};
use hostler_vault::Keyring;

use crate::config::Config;
use crate::limits::REWRAPPED_AT_ONCE;
use crate::terminal::say;
use crate::{database, vault_keys};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VaultsCommand {
    Keys,
    Rewrap,
}

/// Works beside a server.
pub async fn run(command: VaultsCommand, config: &Config) -> anyhow::Result<()> {
    let store = database::open_aside(config).await?;
    let keyring = vault_keys::read(config).await?;
    let Some(keyring) = keyring else {
        bail!("there is no master key: set vaults.master_key_file");
    };
    match command {
        VaultsCommand::Keys => keys(&store, &keyring).await,
        VaultsCommand::Rewrap => rewrap(&store, &keyring).await,
    }
}

async fn keys(store: &Store, keyring: &Keyring) -> anyhow::Result<()> {
    let current = keyring.current().to_string();
    let mut text = format!("{current}  seals new credentials\n");
    for sealed_by in store.master_keys().await? {
        let state = if sealed_by == current {
            continue;
        } else if keyring.has(&sealed_by) {
            "has credentials, which it opens: `hostler vaults rewrap` moves them"
        } else {
            "has credentials and is not here: they stay closed"
        };
        text.push_str(&format!("{sealed_by}  {state}\n"));
    }
    say(&text);
    Ok(())
}

/// Each credential by itself, so that it can be stopped and begun again at any moment.
async fn rewrap(store: &Store, keyring: &Keyring) -> anyhow::Result<()> {
    let (mut moved, mut behind) = (0_usize, None);
    loop {
        let page = store.credentials_sealed_by_others(keyring.current(), behind, REWRAPPED_AT_ONCE);
        let page = page.await?;
        let Some(last) = page.last() else {
            break;
        };
        behind = Some(last.credential.id);
        for found in &page {
            let Some(sealed) = found.rewrapped(keyring).context("nothing was lost")? else {
                continue;
            };
            // One that was changed meanwhile was sealed anew by whoever changed it.
            match store.rewrap_credential(found, sealed).await? {
                CredentialReplaced::Replaced => moved += 1,
                CredentialReplaced::Changed => {}
            }
        }
    }
    moved += rewrap_tokens(store, keyring).await?;
    say(&format!(
        "{moved} credentials are sealed with {} now.\n",
        keyring.current()
    ));
    Ok(())
}

/// The same for the tokens of repositories.
async fn rewrap_tokens(store: &Store, keyring: &Keyring) -> anyhow::Result<usize> {
    let (mut moved, mut behind) = (0, None);
    loop {
        let page = store.tokens_sealed_by_others(keyring.current(), behind, REWRAPPED_AT_ONCE);
        let page = page.await?;
        let Some(last) = page.last() else {
            return Ok(moved);
        };
        behind = Some(last.repository());
        for found in &page {
            let Some(sealed) = found.rewrapped(keyring).context("nothing was lost")? else {
                continue;
            };
            match store.rewrap_token(found, sealed).await? {
                CredentialReplaced::Replaced => moved += 1,
                CredentialReplaced::Changed => {}
            }
        }
    }
}
