//! The master keys of the vaults: where they come from at start.
//!
//! A server whose database is a file makes a key of its own, so that vaults work without a word of
//! configuration. Servers that share a database need one that they share: it has to be given.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::{Context, bail};
use hostler_store::Store;
use hostler_vault::{Keyring, MasterKey};
use zeroize::Zeroizing;

use crate::config::{Config, MasterKeySource, read_key};
use crate::limits::{KEY_FILE_BYTES_MAX, MASTER_KEY_COMMAND_TIME};

/// The key that the first start makes.
const KEY_FILE: &str = "vault.key";

/// What a server seals credentials with; none where servers share a database and were given no key. What it can't
/// open is told before somebody needs it.
pub(crate) async fn keyring(
    config: &Config,
    store: &Store,
) -> anyhow::Result<Option<Arc<Keyring>>> {
    let keyring = read(config).await?;
    announce(store, keyring.as_deref()).await?;
    Ok(keyring)
}

/// As [`keyring`], for a command.
pub(crate) async fn read(config: &Config) -> anyhow::Result<Option<Arc<Keyring>>> {
    let options = &config.vaults;
    let current = match (&options.master_key, &config.database.address) {
        (Some(source), _) => given(source).await?,
        (None, None) => own(&config.server.data_dir.join(KEY_FILE))?,
        (None, Some(_)) => return Ok(None),
    };
    let others = options.others.iter().map(|file| from_file(file));
    let others = others.collect::<anyhow::Result<Vec<_>>>()?;
    Ok(Some(Arc::new(Keyring::new(current, others))))
}

async fn announce(store: &Store, keyring: Option<&Keyring>) -> anyhow::Result<()> {
    for sealed_by in store.master_keys().await? {
        let is_here = keyring.is_some_and(|keyring| keyring.has(&sealed_by));
        if !is_here {
            tracing::error!(
                master_key = %sealed_by,
                "credentials are sealed with a master key that this server does not have, and stay closed: put it \
                 back by vaults.master_key_file or vaults.other_master_key_files"
            );
        }
    }
    if let Some(keyring) = keyring {
        tracing::info!(master_key = %keyring.current(), "credentials are sealed");
    }
    Ok(())
}

async fn given(source: &MasterKeySource) -> anyhow::Result<MasterKey> {
    match source {
        MasterKeySource::Text(key) => {
            Ok(MasterKey::parse(key.expose()).context("vaults.master_key")?)
        }
        MasterKeySource::File(file) => from_file(file),
        MasterKeySource::Command(program, arguments) => from_command(program, arguments)
            .await
            .with_context(|| format!("vaults.master_key_command ({program})")),
    }
}

fn from_file(file: &Path) -> anyhow::Result<MasterKey> {
    let shown = file.display();
    let text = match read_key(file) {
        Ok(text) => text,
        Err(problem) => bail!("the master key {shown} {problem}"),
    };
    MasterKey::parse(text.expose()).with_context(|| format!("the file {shown}"))
}

/// Its standard error is the server's, so that what it complains about is seen.
async fn from_command(program: &str, arguments: &[String]) -> anyhow::Result<MasterKey> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let output = tokio::time::timeout(MASTER_KEY_COMMAND_TIME, command.output())
        .await
        .with_context(|| format!("it has not ended after {MASTER_KEY_COMMAND_TIME:?}"))?
        .context("it can't be started")?;
    let said = Zeroizing::new(output.stdout);
    if !output.status.success() {
        bail!("it ended with {}", output.status);
    }
    let text = std::str::from_utf8(&said).unwrap_or_default();
    Ok(MasterKey::parse(text)?)
}

/// The key of the data folder, made now if there is none.
fn own(file: &Path) -> anyhow::Result<MasterKey> {
    if !file.exists() {
        make(file).with_context(|| format!("{} can't be made", file.display()))?;
    }
    from_file(file)
}

/// Complete or not there: a key of which a half was lost would open nothing. A command and a server may both be
/// the first: whoever comes second finds the key of the other and takes that.
fn make(file: &Path) -> anyhow::Result<()> {
    let text = MasterKey::generate()?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let new: PathBuf = folder.join(format!("{KEY_FILE}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut written = options.open(&new)?;
    writeln!(written, "{}", *text)?;
    written.sync_all()?;
    let linked = std::fs::hard_link(&new, file);
    std::fs::remove_file(&new)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
        Ok(()) | Err(_) => {}
    }
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}

const _: () = assert!(KEY_FILE_BYTES_MAX > 64, "a master key fits");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_second_takes_the_key_that_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(KEY_FILE);
        let first = own(&file).unwrap();
        make(&file).unwrap();
        assert_eq!(from_file(&file).unwrap().id(), first.id());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
