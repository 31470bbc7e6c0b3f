//! Section `[nats]`: what carries live previews between servers that share a database.

use std::path::PathBuf;

use hostler_relay::{Credential, RelayOptions, SecretText, ServerAddress};
use serde::{Deserialize, Serialize};

use super::database::DatabaseOptions;
use super::key_file::read_key;
use super::problem::Problem;
use super::resolve::Resolving;
use super::secret::Secret;
use crate::limits::CREDS_FILE_BYTES_MAX;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawNats {
    /// Servers of NATS, through which what a model is writing reaches the streams on other servers of the same
    /// database. Several have commas between; others that they may name are not asked. `tls://` demands TLS:
    /// with `nats://` everything can be read on the way. Without this, only the server that runs a session shows
    /// previews of it. It needs a database that servers share, `database.url`.
    /// Example: url = "tls://nats-1.example.com:4222,tls://nats-2.example.com:4222"
    pub url: Option<String>,
    /// The first part of all subjects. Each database has its own where several share the servers.
    pub subject: String,
    /// A file with a JWT and the key to it, as `nsc` writes them.
    /// Example: credentials_file = "/run/secrets/hostler.creds"
    pub credentials_file: Option<PathBuf>,
    /// Who connects, where the servers ask for a password.
    /// Example: user = "hostler"
    pub user: Option<String>,
    /// Not for this file: set HOSTLER__NATS__PASSWORD, or name a file.
    pub password: Option<Secret>,
    /// A file that holds the password and nothing else.
    /// Example: password_file = "/run/secrets/hostler-nats"
    pub password_file: Option<PathBuf>,
    /// Not for this file: set HOSTLER__NATS__TOKEN, or name a file.
    pub token: Option<Secret>,
    /// A file that holds the token and nothing else.
    /// Example: token_file = "/run/secrets/hostler-nats"
    pub token_file: Option<PathBuf>,
    /// The certificates of the authorities that sign those of the servers, in place of those of this machine.
    /// Example: ca_file = "/etc/hostler/nats-ca.pem"
    pub ca_file: Option<PathBuf>,
}

impl Default for RawNats {
    fn default() -> Self {
        Self {
            url: None,
            subject: "hostler".to_owned(),
            credentials_file: None,
            user: None,
            password: None,
            password_file: None,
            token: None,
            token_file: None,
            ca_file: None,
        }
    }
}

/// How the connection is called in the servers' lists.
const NAME: &str = "hostler";

impl RawNats {
    /// `None`: previews stay where they are made.
    pub(super) fn resolve(
        &self,
        database: &DatabaseOptions,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> Option<RelayOptions> {
        let mut problem = |key: &str, message: String| {
            problems.push(at.problem(&["nats", key], message));
        };
        if !RelayOptions::is_prefix(&self.subject) {
            let message = "must be words of letters, digits, - and _ with dots between, 64 characters at most";
            problem("subject", message.to_owned());
        }
        let url = self.url.as_ref()?;
        if database.address.is_none() {
            let message = "has no use without database.url: only servers that share a database tell each other";
            problem("url", message.to_owned());
        }
        let servers = ServerAddress::list(url);
        let servers = servers
            .map_err(|error| problem("url", error.to_string()))
            .unwrap_or_default();
        let credential = self.credential(at, problems);
        Some(RelayOptions {
            servers,
            credential,
            ca_file: self
                .ca_file
                .as_ref()
                .map(|file| at.path(&["nats", "ca_file"], file)),
            prefix: self.subject.clone(),
            name: NAME.to_owned(),
        })
    }

    fn credential(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Credential {
        let ways = [
            ("credentials_file", self.credentials_file.is_some()),
            ("user", self.user.is_some()),
            ("token", self.token.is_some() || self.token_file.is_some()),
        ];
        let chosen: Vec<&str> = ways.iter().filter(|way| way.1).map(|way| way.0).collect();
        match chosen[..] {
            [] if self.password.is_some() || self.password_file.is_some() => {
                let message = "nats.user is needed, too";
                problems.push(at.problem(&["nats", "password"], message));
                Credential::None
            }
            [] => Credential::None,
            ["credentials_file"] => self.creds(at, problems),
            ["token"] => {
                let token = secret(at, problems, "token", &self.token, &self.token_file);
                token.map_or(Credential::None, Credential::Token)
            }
            ["user"] => self.password(at, problems),
            [first, ..] => {
                let message = format!("only one of {} can be used", chosen.join(", "));
                problems.push(at.problem(&["nats", first], message));
                Credential::None
            }
        }
    }

    fn password(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Credential {
        if self.password.is_none() && self.password_file.is_none() {
            let message = "a password is needed, too: set HOSTLER__NATS__PASSWORD, or name a file with \
                           `password_file`";
            problems.push(at.problem(&["nats", "user"], message));
        }
        let password = secret(
            at,
            problems,
            "password",
            &self.password,
            &self.password_file,
        );
        let user = self.user.clone().unwrap_or_default();
        password.map_or(Credential::None, |password| Credential::Password {
            user,
            password,
        })
    }

    fn creds(&self, at: &Resolving<'_>, problems: &mut Vec<Problem>) -> Credential {
        let path = ["nats", "credentials_file"];
        let Some(file) = &self.credentials_file else {
            return Credential::None;
        };
        match read_creds(&at.path(&path, file)) {
            Ok(text) => Credential::Creds(text),
            Err(message) => {
                problems.push(at.problem(&path, message));
                Credential::None
            }
        }
    }
}

/// The secret itself wins over the file, as everywhere.
fn secret(
    at: &Resolving<'_>,
    problems: &mut Vec<Problem>,
    key: &str,
    secret: &Option<Secret>,
    file: &Option<PathBuf>,
) -> Option<SecretText> {
    let key_of_file = format!("{key}_file");
    let path = ["nats", key_of_file.as_str()];
    let secret = match (secret, file) {
        (Some(secret), _) => Some(secret.clone()),
        (None, Some(file)) => read_key(&at.path(&path, file))
            .map_err(|message| problems.push(at.problem(&path, message)))
            .ok(),
        (None, None) => None,
    };
    secret.map(|secret| SecretText::new(secret.expose().to_owned()))
}

fn read_creds(file: &std::path::Path) -> Result<SecretText, String> {
    use std::io::Read;
    let file = std::fs::File::open(file).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut text = zeroize::Zeroizing::new(String::new());
    file.take(CREDS_FILE_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|error| format!("cannot be read: {error}"))?;
    Ok(SecretText::new(text.to_string()))
}
