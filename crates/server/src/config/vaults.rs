//! Section `[vaults]`: the master key that credentials are sealed with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::resolve::Resolving;
use super::secret::Secret;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawVaults {
    /// The master key that credentials are sealed with: 32 random bytes in base64, as `openssl rand -base64 32`
    /// prints them. It is not for this file: set HOSTLER__VAULTS__MASTER_KEY, or name a file or a command. Without
    /// any of them a server whose database is a file makes `vault.key` in its data folder at its first start,
    /// and servers on PostgreSQL keep no credentials.
    pub master_key: Option<Secret>,
    /// A file that holds the master key and nothing else. Keep it apart from backups of the data.
    /// Example: master_key_file = "/run/secrets/hostler-vault-key"
    pub master_key_file: Option<PathBuf>,
    /// A program, with its arguments, that prints the master key at each start, such as one that asks a key
    /// management service to decrypt it.
    /// Example: master_key_command = ["/usr/local/bin/vault-key"]
    pub master_key_command: Option<Vec<String>>,
    /// Files of master keys that open what they have sealed and seal nothing new: the old key while it is being
    /// changed, and before that the new one.
    pub other_master_key_files: Vec<PathBuf>,
}

/// The resolved section.
#[derive(Debug, Clone)]
pub struct VaultOptions {
    /// None: that of the data folder.
    pub master_key: Option<MasterKeySource>,
    pub others: Vec<PathBuf>,
}

#[derive(Debug, Clone)]
pub enum MasterKeySource {
    Text(Secret),
    File(PathBuf),
    /// The program and its arguments.
    Command(String, Vec<String>),
}

impl RawVaults {
    pub(super) fn resolve(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> VaultOptions {
        let other = |file: &PathBuf| at.path(&["vaults", "other_master_key_files"], file);
        VaultOptions {
            master_key: self.master_key(at, problems),
            others: self.other_master_key_files.iter().map(other).collect(),
        }
    }

    /// The key itself wins over a file, as everywhere, and a file over a command.
    fn master_key(
        &self,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<MasterKeySource> {
        if let Some(key) = &self.master_key {
            return Some(MasterKeySource::Text(key.clone()));
        }
        if let Some(file) = &self.master_key_file {
            let file = at.path(&["vaults", "master_key_file"], file);
            return Some(MasterKeySource::File(file));
        }
        let command = self.master_key_command.as_ref()?;
        let Some((program, arguments)) = command.split_first() else {
            let message = "must name a program";
            problems.push(at.problem(&["vaults", "master_key_command"], message));
            return None;
        };
        Some(MasterKeySource::Command(
            program.clone(),
            arguments.to_vec(),
        ))
    }
}
