//! Where the database is, and the secret that opens it.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode};

use crate::limits::{POSTGRES_CONNECT, POSTGRES_KEEPALIVE};

/// `postgres://user:password@host:port/database`. Printed without the password.
#[derive(Clone)]
pub struct PostgresAddress {
    pub(super) config: tokio_postgres::Config,
    pub(super) tls: Tls,
}

/// How the connection is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tls {
    Off,
    /// The server's certificate is for its host name, and is signed by an authority that the
    /// machine trusts, or one of this file.
    Verified {
        authorities: Option<PathBuf>,
    },
}

/// What is wrong with an address; it never repeats the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl FromStr for PostgresAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !(text.starts_with("postgres://") || text.starts_with("postgresql://")) {
            let wrong = "an address of PostgreSQL begins with postgres://";
            return Err(AddressError(wrong.to_owned()));
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut others, mut mode, mut authorities) = (Vec::new(), None, None);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", value)) => mode = Some(value),
                Some(("sslrootcert", value)) => authorities = Some(PathBuf::from(value)),
                _ => others.push(pair),
            }
        }
        let rest = match others.is_empty() {
            true => base.to_owned(),
            false => format!("{base}?{}", others.join("&")),
        };
        let mut config: tokio_postgres::Config = rest.parse().map_err(reading)?;
        if config.get_hosts().is_empty() {
            return Err(AddressError("the address names no host".to_owned()));
        }
        let tls = tls(&config, mode, authorities)?;
        config.ssl_mode(match tls {
            Tls::Off => SslMode::Disable,
            Tls::Verified { .. } => SslMode::Require,
        });
        if config.get_application_name().is_none() {
            config.application_name("hostler");
        }
        config.connect_timeout(POSTGRES_CONNECT);
        config.tcp_user_timeout(POSTGRES_KEEPALIVE + Duration::from_secs(5));
        config.keepalives_idle(POSTGRES_KEEPALIVE);
        Ok(Self { config, tls })
    }
}

/// The parser's words name a part of the address and never show it.
fn reading(error: tokio_postgres::Error) -> AddressError {
    use std::error::Error;
    let cause = error.source().map(ToString::to_string);
    AddressError(format!(
        "the address can't be read: {}",
        cause.unwrap_or_else(|| error.to_string())
    ))
}

fn tls(
    config: &tokio_postgres::Config,
    mode: Option<&str>,
    authorities: Option<PathBuf>,
) -> Result<Tls, AddressError> {
    let verified = || Tls::Verified {
        authorities: authorities.clone(),
    };
    match mode {
        Some("disable") => Ok(Tls::Off),
        // Encrypted and open to whoever stands in between is not offered: it is verified, too.
        Some("require" | "verify-full") => Ok(verified()),
        Some(other) => Err(AddressError(format!(
            "sslmode={other} is not offered: use disable or verify-full"
        ))),
        None if config.get_hosts().iter().all(is_this_machine) => Ok(Tls::Off),
        None => Ok(verified()),
    }
}

fn is_this_machine(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost"
                || name
                    .parse()
                    .is_ok_and(|address: std::net::IpAddr| address.is_loopback())
        }
    }
}

impl std::fmt::Debug for PostgresAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "PostgresAddress({self})")
    }
}

impl std::fmt::Display for PostgresAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = self.config.get_user().unwrap_or("");
        let hosts: Vec<String> = self.config.get_hosts().iter().map(host_text).collect();
        let ports = self.config.get_ports();
        let port = ports.first().copied().unwrap_or(5432);
        let name = self.config.get_dbname().unwrap_or("");
        write!(
            formatter,
            "postgres://{user}@{}:{port}/{name}",
            hosts.join(",")
        )
    }
}

fn host_text(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tls_of(text: &str) -> Tls {
        text.parse::<PostgresAddress>().unwrap().tls
    }

    #[test]
    fn what_leaves_the_machine_is_verified_unless_told_otherwise() {
        let verified = Tls::Verified { authorities: None };
        assert_eq!(tls_of("postgres://u@db.example/h"), verified);
        assert_eq!(
            tls_of("postgres://u@db.example/h?sslmode=require"),
            verified
        );
        assert_eq!(
            tls_of("postgres://u@db.example/h?sslmode=disable"),
            Tls::Off
        );
        assert_eq!(tls_of("postgres://u@127.0.0.1/h"), Tls::Off);
        assert_eq!(
            tls_of("postgres:///h?host=/run/postgresql&user=u"),
            Tls::Off
        );
        let own = "postgres://u@db.example/h?sslrootcert=/etc/ca.pem&sslmode=verify-full";
        let authorities = Some(PathBuf::from("/etc/ca.pem"));
        assert_eq!(tls_of(own), Tls::Verified { authorities });
        let unsafe_mode = "postgres://u:secret@db.example/h?sslmode=prefer";
        let error = unsafe_mode.parse::<PostgresAddress>().unwrap_err();
        assert!(error.to_string().contains("prefer"));
    }

    #[test]
    fn the_password_is_never_shown() {
        let address: PostgresAddress = "postgres://u:hunter2@db.example:6/h".parse().unwrap();
        assert_eq!(address.to_string(), "postgres://u@db.example:6/h");
        assert!(!format!("{address:?}").contains("hunter2"));
        let wrong = "postgres://u:hunter2@db.example:notaport/h".parse::<PostgresAddress>();
        assert!(!wrong.unwrap_err().to_string().contains("hunter2"));
    }
}
