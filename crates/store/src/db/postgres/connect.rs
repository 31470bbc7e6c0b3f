//! Making a connection, and finding out whether a database is one to work with.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::address::{PostgresAddress, Tls};
use super::session::Session;
use super::wire::Wire;
use crate::StoreError;
use crate::limits::{POSTGRES_ANSWER, POSTGRES_VERSION_MIN};

/// What a connection needs to be made.
pub(crate) struct Connector {
    address: PostgresAddress,
    tls: Option<MakeRustlsConnect>,
}

/// What every connection says first. A server that has stopped in the middle of a transaction (or
/// was cut off) must not hold its locks against the others for ever. Commits are synced, whatever
/// the default of the database or the user says; where it asks for more, that stands.
const SETTINGS: &str = "\
    set idle_in_transaction_session_timeout = '10s'; \
    set lock_timeout = '8s'; \
    select set_config('synchronous_commit', 'on', false) \
    where current_setting('synchronous_commit') not in ('remote_apply', 'on')";

impl Connector {
    pub(crate) fn new(address: PostgresAddress) -> Result<Self, StoreError> {
        let tls = match &address.tls {
            Tls::Off => None,
            Tls::Verified { authorities: None } => Some(tls_of(machine_authorities()?)?),
            Tls::Verified {
                authorities: Some(file),
            } => {
                let mut roots = RootCertStore::empty();
                let wrong = |error| unusable(format!("sslrootcert={}: {error}", file.display()));
                let found = CertificateDer::pem_file_iter(file);
                for certificate in found.map_err(|error| wrong(error.to_string()))? {
                    let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                    roots
                        .add(certificate)
                        .map_err(|error| wrong(error.to_string()))?;
                }
                Some(tls_of(roots)?)
            }
        };
        Ok(Self { address, tls })
    }

    /// Only on a thread that may block.
    pub(crate) fn connect(&self) -> Result<Session, StoreError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Unreachable(Box::new(error)))?;
        let (client, wire) = match &self.tls {
            Some(tls) => self.connect_with(runtime, tls.clone())?,
            None => self.connect_with(runtime, NoTls)?,
        };
        let mut session = Session::new(client, wire);
        session.batch(SETTINGS)?;
        Ok(session)
    }

    fn connect_with<T>(
        &self,
        runtime: Runtime,
        tls: T,
    ) -> Result<(tokio_postgres::Client, Wire), StoreError>
    where
        T: tokio_postgres::tls::MakeTlsConnect<tokio_postgres::Socket>,
        T::Stream: Send + 'static,
    {
        let config = &self.address.config;
        let connect = async { tokio::time::timeout(POSTGRES_ANSWER, config.connect(tls)).await };
        let connected = runtime
            .block_on(connect)
            .map_err(|elapsed| StoreError::Unreachable(Box::new(elapsed)))?;
        let (client, connection) = connected?;
        Ok((client, Wire::new(runtime, connection)))
    }
}

fn tls_of(roots: RootCertStore) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(format!("TLS: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn machine_authorities() -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err(unusable(
            "this machine trusts no certificate authority; install ca-certificates, or name a \
             file by sslrootcert"
                .to_owned(),
        )),
        false => Ok(roots),
    }
}

fn unusable(what: String) -> StoreError {
    StoreError::Unusable { what }
}

const FACTS: &str = "\
    select current_setting('server_version_num')::bigint, current_setting('server_version'), \
    pg_is_in_recovery(), current_setting('fsync'), current_setting('server_encoding'), \
    current_setting('synchronous_commit')";

/// Connects and says what is wrong, each with its cure.
pub(crate) fn check(connector: &Connector) -> Result<(), StoreError> {
    let address = &connector.address;
    let mut session = connector
        .connect()
        .map_err(|error| explain(address, error))?;
    let rows = session.query(FACTS, Vec::new())?;
    let Some(facts) = rows.first() else {
        return Err(StoreError::Closed);
    };
    let number: i64 = facts.try_get(0)?;
    if number < POSTGRES_VERSION_MIN {
        let version: String = facts.try_get(1)?;
        return Err(unusable(format!(
            "{address} is PostgreSQL {version}; version {} or newer is needed",
            POSTGRES_VERSION_MIN / 10_000
        )));
    }
    if facts.try_get(2)? {
        return Err(unusable(format!(
            "{address} is a read-only standby; name the primary"
        )));
    }
    if facts.try_get::<_, &str>(3)? != "on" {
        return Err(unusable(format!(
            "{address} runs with fsync = off, so nothing that it acknowledges is safe; turn it on"
        )));
    }
    let encoding: &str = facts.try_get(4)?;
    if encoding != "UTF8" {
        return Err(unusable(format!(
            "{address} is encoded as {encoding}; make the database with encoding 'UTF8'"
        )));
    }
    tracing::debug!(%address, commit = facts.try_get::<_, &str>(5)?, "the database answers");
    Ok(())
}

fn explain(address: &PostgresAddress, error: StoreError) -> StoreError {
    let user = address.config.get_user().unwrap_or("");
    let database = address.config.get_dbname().unwrap_or(user);
    let (error, state) = match error {
        StoreError::Db(error) | StoreError::Unreachable(error) => {
            let state = error
                .downcast_ref::<tokio_postgres::Error>()
                .and_then(tokio_postgres::Error::code)
                .cloned();
            (error, state)
        }
        other @ (StoreError::Unique
        | StoreError::Busy
        | StoreError::Full(_)
        | StoreError::NotStorable(_)
        | StoreError::Corrupt { .. }
        | StoreError::Damaged { .. }
        | StoreError::TooNew { .. }
        | StoreError::NotMigrated { .. }
        | StoreError::Unusable { .. }
        | StoreError::Closed
        | StoreError::BlobsUnreachable(_)
        | StoreError::Blob(_)) => return other,
    };
    let cause = causes(error.as_ref());
    unusable(match state {
        Some(SqlState::INVALID_PASSWORD) => {
            format!("{address} refuses the password of {user}; correct it")
        }
        Some(SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
            format!("{address} does not let {user} in: {cause}; see pg_hba.conf, or sslmode")
        }
        Some(SqlState::INVALID_CATALOG_NAME) => {
            format!("{address} has no database {database}; make it with: createdb {database}")
        }
        Some(SqlState::TOO_MANY_CONNECTIONS) => {
            format!("{address} has no connection left; raise its max_connections")
        }
        Some(_) => format!("{address} refuses the connection: {cause}"),
        None => {
            format!("{address} can't be reached: {cause}; is it running, and does it listen there?")
        }
    })
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
