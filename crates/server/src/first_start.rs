//! What a server makes when there is nothing yet: one workspace, and one key that opens it.

use anyhow::{Context, bail};
use hostler_domain::Env;
use hostler_http::ApiKeyText;
use hostler_store::{ApiKey, KeyCreated, Store, Workspace};

use crate::limits::{GIVEN_KEY_CHARS_MAX, GIVEN_KEY_CHARS_MIN};

/// The key of the first start.
#[derive(Debug)]
pub enum FirstKey {
    /// Made now: it is shown this once, and only its hash is kept.
    JustMade(ApiKeyText),
    /// Taken from HOSTLER_API_KEY, or made by an earlier start.
    Known,
}

/// Makes the workspace and the key where there are none. `given` is the value of HOSTLER_API_KEY, which
/// counts at the first start only: later it would be a way around revoking a key.
pub async fn prepare(store: &Store, env: &Env, given: Option<&str>) -> anyhow::Result<FirstKey> {
    if let Some(text) = given {
        check_given(text)?;
    }
    if store.count_api_keys().await? > 0 {
        if let Some(text) = given {
            warn_if_unknown(store, text).await?;
        }
        return Ok(FirstKey::Known);
    }
    let workspace = workspace(store, env).await?;
    match given {
        Some(text) => {
            let key = ApiKeyText::given(text.to_owned());
            keep(store, env, &workspace, "HOSTLER_API_KEY", &key).await?;
            Ok(FirstKey::Known)
        }
        None => {
            let key = create_key(store, env, &workspace, "first start").await?;
            Ok(FirstKey::JustMade(key))
        }
    }
}

/// The workspace of this server, made if there is none.
pub(crate) async fn workspace(store: &Store, env: &Env) -> anyhow::Result<Workspace> {
    if let Some(first) = store.workspaces().await?.into_iter().next() {
        return Ok(first);
    }
    let name = "default".to_owned();
    let workspace = Workspace {
        id: env.id(),
        name,
        created_at: env.now(),
    };
    store.create_workspace(workspace.clone()).await?;
    Ok(workspace)
}

/// A new random key.
pub(crate) async fn create_key(
    store: &Store,
    env: &Env,
    workspace: &Workspace,
    name: &str,
) -> anyhow::Result<ApiKeyText> {
    let key = ApiKeyText::generate()?;
    keep(store, env, workspace, name, &key).await?;
    Ok(key)
}

async fn keep(
    store: &Store,
    env: &Env,
    workspace: &Workspace,
    name: &str,
    key: &ApiKeyText,
) -> anyhow::Result<()> {
    let row = ApiKey {
        id: env.id(),
        workspace_id: workspace.id,
        name: name.to_owned(),
        hash: key.hash(),
        hint: key.hint(),
        created_at: env.now(),
        revoked_at: None,
    };
    match store
        .create_api_key(row)
        .await
        .context("while keeping the key")?
    {
        KeyCreated::Created => Ok(()),
        KeyCreated::HashTaken => bail!("this key exists already"),
    }
}

/// A key that can be guessed would open everything, and one that no header can carry would open nothing.
fn check_given(text: &str) -> anyhow::Result<()> {
    let length = text.chars().count();
    if !(GIVEN_KEY_CHARS_MIN..=GIVEN_KEY_CHARS_MAX).contains(&length) {
        bail!(
            "HOSTLER_API_KEY has {length} characters; a key has {GIVEN_KEY_CHARS_MIN} to \
             {GIVEN_KEY_CHARS_MAX}"
        );
    }
    if !text.chars().all(|c| c.is_ascii_graphic()) {
        bail!("HOSTLER_API_KEY has characters that a header cannot carry; use letters and digits");
    }
    Ok(())
}

async fn warn_if_unknown(store: &Store, text: &str) -> anyhow::Result<()> {
    let hash = ApiKeyText::given(text.to_owned()).hash();
    let known = store.api_key_by_hash(hash).await?;
    if known.is_none_or(|key| key.revoked_at.is_some()) {
        tracing::warn!(
            "HOSTLER_API_KEY is no key of this server: it counts at the first start only; \
             `hostler keys create` makes a key"
        );
    }
    Ok(())
}
