//! The certificate authority of one sandbox: it vouches for the hosts whose TLS ends at the gateway.
//!
//! Its certificate goes into that sandbox and is trusted nowhere else; its key stays on this side, in the
//! hands of whoever made it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};
use zeroize::Zeroizing;

use crate::host_name::Host;
use crate::limits::{AUTHORITY_LIFE, AUTHORITY_PAST, CERTIFICATES_MAX};

/// Cheap to clone.
#[derive(Clone)]
pub struct Authority {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: CertifiedIssuer<'static, KeyPair>,
    begins: SystemTime,
    /// One key for all hosts: it is as secret as the authority's own.
    host_key: KeyPair,
    servers: Mutex<HashMap<String, Arc<ServerConfig>>>,
}

#[derive(Debug, thiserror::Error)]
#[error("no certificate can be made: {0}")]
pub struct AuthorityError(String);

impl Authority {
    /// A new one, good from about now on for longer than any sandbox is kept.
    ///
    /// # Errors
    /// When the system has no randomness to give.
    pub fn new(now: SystemTime) -> Result<Self, AuthorityError> {
        Self::with_key(KeyPair::generate().map_err(failed)?, now)
    }

    /// The one whose key was given away by [`Authority::key`], made at about the same time.
    ///
    /// # Errors
    /// When the text is no key.
    pub fn from_key(pem: &str, now: SystemTime) -> Result<Self, AuthorityError> {
        Self::with_key(KeyPair::from_pem(pem).map_err(failed)?, now)
    }

    fn with_key(key: KeyPair, now: SystemTime) -> Result<Self, AuthorityError> {
        let begins = now.checked_sub(AUTHORITY_PAST).unwrap_or(now);
        let mut params = of_time(begins);
        let names = &mut params.distinguished_name;
        names.push(DnType::CommonName, "Hostler sandbox authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Self {
            inner: Arc::new(Inner {
                issuer: CertifiedIssuer::self_signed(params, key).map_err(failed)?,
                begins,
                host_key: KeyPair::generate().map_err(failed)?,
                servers: Mutex::default(),
            }),
        })
    }

    /// What the sandbox is to trust, as PEM.
    pub fn certificate(&self) -> String {
        self.inner.issuer.pem()
    }

    /// The private key as PEM, to be kept where no sandbox reads.
    pub fn key(&self) -> Zeroizing<String> {
        Zeroizing::new(self.inner.issuer.key().serialize_pem())
    }

    /// How TLS is spoken in a host's name.
    pub(crate) fn server(&self, host: &Host) -> Result<Arc<ServerConfig>, AuthorityError> {
        let name = host.to_string();
        let servers = || {
            self.inner
                .servers
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        if let Some(server) = servers().get(&name) {
            return Ok(Arc::clone(server));
        }
        let server = Arc::new(self.inner.make_server(host)?);
        let mut servers = servers();
        if servers.len() >= CERTIFICATES_MAX {
            servers.clear();
        }
        servers.insert(name, Arc::clone(&server));
        Ok(server)
    }
}

impl Inner {
    fn make_server(&self, host: &Host) -> Result<ServerConfig, AuthorityError> {
        let mut params = of_time(self.begins);
        let names = &mut params.distinguished_name;
        names.push(DnType::CommonName, "Hostler gateway");
        params.subject_alt_names = vec![match host {
            Host::Name(name) => SanType::DnsName(name.as_str().try_into().map_err(failed)?),
            Host::Address(address) => SanType::IpAddress(*address),
        }];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.host_key, &self.issuer);
        let certificate = certificate.map_err(failed)?;
        let key = PrivatePkcs8KeyDer::from(self.host_key.serialize_der());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(key));
        let certified = CertifiedKey::new(vec![certificate.der().clone()], key.map_err(failed)?);
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13, &version::TLS12])
            .map_err(failed)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Always(Arc::new(certified))));
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(server)
    }
}

/// Whatever the hello names was held against the host before.
#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _hello: rustls::server::ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn of_time(begins: SystemTime) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = begins.into();
    params.not_after = (begins + AUTHORITY_LIFE).into();
    params
}

fn failed(error: impl fmt::Display) -> AuthorityError {
    AuthorityError(error.to_string())
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}
