//! Section `[database]`: a PostgreSQL database in place of the file in the data folder.

use std::path::PathBuf;

use hostler_store::PostgresAddress;
use serde::{Deserialize, Serialize};

use super::key_file::read_key;
use super::problem::Problem;
use super::resolve::Resolving;
use super::secret::Secret;
use crate::limits::DATABASE_CONNECTIONS_MAX;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawDatabase {
    /// The address of a PostgreSQL database (14 or newer), which several servers may share. Without it the
    /// database is a file in the data folder. A password is not for this file: set
    /// HOSTLER__DATABASE__URL, or name a file. `?sslmode=disable` turns TLS off, `&sslrootcert=/path`
    /// names the authority that has signed the server's certificate.
    /// Example: url = "postgres://hostler@db.example.com/hostler"
    pub url: Option<Secret>,
    /// A file that holds the address and nothing else.
    /// Example: url_file = "/run/secrets/hostler-database"
    pub url_file: Option<PathBuf>,
    /// Bring the tables up to date at start. Without it a start refuses older ones, and
    /// `hostler migrate apply` is how they get there.
    pub migrate: bool,
    /// Connections to PostgreSQL that write. Two more carry wake-ups between servers.
    pub write_connections: u32,
    /// Connections to PostgreSQL that only read.
    pub read_connections: u32,
}

impl Default for RawDatabase {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            migrate: true,
            write_connections: 8,
            read_connections: 8,
        }
    }
}

/// The resolved section.
#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    /// None: a file in the data folder.
    pub address: Option<PostgresAddress>,
    pub migrate: bool,
    pub write_connections: usize,
    pub read_connections: usize,
}

impl RawDatabase {
    pub(super) fn resolve(
        &self,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> DatabaseOptions {
        for (key, count) in [
            ("write_connections", self.write_connections),
            ("read_connections", self.read_connections),
        ] {
            if !(1..=DATABASE_CONNECTIONS_MAX).contains(&count) {
                let message = format!("must be from 1 to {DATABASE_CONNECTIONS_MAX}");
                problems.push(at.problem(&["database", key], message));
            }
        }
        DatabaseOptions {
            address: self.address(at, problems),
            migrate: self.migrate,
            write_connections: self.write_connections as usize,
            read_connections: self.read_connections as usize,
        }
    }

    /// The address itself wins over the file, as everywhere.
    fn address(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Option<PostgresAddress> {
        let (key, url) = match (&self.url, &self.url_file) {
            (Some(url), _) => ("url", url.clone()),
            (None, None) => return None,
            (None, Some(file)) => {
                let path = ["database", "url_file"];
                match read_key(&at.path(&path, file)) {
                    Ok(url) => ("url_file", url),
                    Err(message) => {
                        problems.push(at.problem(&path, message));
                        return None;
                    }
                }
            }
        };
        match url.expose().parse() {
            Ok(address) => Some(address),
            Err(error) => {
                let error: hostler_store::AddressError = error;
                problems.push(at.problem(&["database", key], error.to_string()));
                None
            }
        }
    }
}

/// Whether a URL has a password in it, which no file may hold.
pub(super) fn has_password(url: &str) -> bool {
    let (authority, query) = url.split_once('?').unwrap_or((url, ""));
    let authority = authority.split_once("://").map_or("", |(_, rest)| rest);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    user.contains(':') || query.split('&').any(|pair| pair.starts_with("password="))
}
