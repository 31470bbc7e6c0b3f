//! The rules about addresses, for connections that the server makes in the name of a session.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::denial::Denial;
use crate::dial::{ask, check};
use crate::host_name::{Host, HostName};
use crate::limits::LOOKUPS_TOTAL_MAX;
use crate::options::GatewayOptions;

/// Says which addresses may be connected to. Cheap to clone.
#[derive(Clone)]
pub struct Outward {
    options: Arc<GatewayOptions>,
    lookups: Arc<Semaphore>,
}

/// Why a host is not connected to, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(String);

impl Outward {
    pub fn new(options: GatewayOptions) -> Self {
        Self {
            options: Arc::new(options),
            lookups: Arc::new(Semaphore::new(LOOKUPS_TOTAL_MAX)),
        }
    }

    /// All addresses of a host, which is a name or an address without brackets. The port matters only for the
    /// server's own listening addresses, which `None` does not exclude.
    ///
    /// # Errors
    /// When one of the addresses may not be connected to, or there are none.
    pub async fn addresses(&self, host: &str, port: Option<u16>) -> Result<Vec<IpAddr>, Refused> {
        let found = self.permitted(host, port.unwrap_or(0)).await;
        found.map_err(|denial| Refused(denial.to_string()))
    }

    async fn permitted(&self, host: &str, port: u16) -> Result<Vec<IpAddr>, Denial> {
        if let Ok(address) = host.parse::<IpAddr>() {
            check(&self.options, &Host::Address(address), address, port)?;
            return Ok(vec![address.to_canonical()]);
        }
        let name: HostName = host
            .parse()
            .map_err(|_invalid| Denial::Unresolved(host.to_owned()))?;
        if let Some(address) = self.options.hosts.get(&name) {
            return Ok(vec![address.to_canonical()]);
        }
        if name.is_local() && !self.permits_loopback() {
            return Err(Denial::OwnMachine(name.to_string()));
        }
        let mut addresses = self.look_up(&name, port).await?;
        if addresses.is_empty() {
            return Err(Denial::Unresolved(name.to_string()));
        }
        let host = Host::Name(name);
        for address in &mut addresses {
            *address = address.to_canonical();
            check(&self.options, &host, *address, port)?;
        }
        Ok(addresses)
    }

    /// Inside a sandbox `localhost` is the sandbox. Here it is this machine, which an operator may have permitted.
    fn permits_loopback(&self) -> bool {
        let allowed = &self.options.allowed_private;
        allowed
            .iter()
            .any(|network| network.address().is_loopback())
    }

    async fn look_up(&self, name: &HostName, port: u16) -> Result<Vec<IpAddr>, Denial> {
        let timed_out = || Denial::TimedOut(name.to_string(), port);
        let asked = async {
            let permit = Arc::clone(&self.lookups).acquire_owned().await.ok()?;
            let resolver = self.options.resolver.clone();
            ask(resolver, name.clone(), port, permit).await.ok()
        };
        let found = timeout(self.options.times.lookup, asked).await;
        Ok(found.map_err(|_elapsed| timed_out())?.unwrap_or_default())
    }
}

impl fmt::Debug for Outward {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Outward")
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::options::Resolver;

    fn outward(allowed: &[&str]) -> Outward {
        let lookup = |name: &HostName| {
            let last = if name.as_str() == "public.test" { 8 } else { 1 };
            Ok(vec![
                Ipv4Addr::new(if last == 8 { 8 } else { 10 }, 8, 8, last).into(),
            ])
        };
        Outward::new(GatewayOptions {
            allowed_private: allowed.iter().map(|text| text.parse().unwrap()).collect(),
            forbidden: vec!["127.0.0.1:8080".parse().unwrap()],
            resolver: Resolver::Function(Arc::new(lookup)),
            ..GatewayOptions::default()
        })
    }

    #[tokio::test]
    async fn public_addresses_only_unless_the_operator_says_otherwise() {
        let strict = outward(&[]);
        assert!(strict.addresses("public.test", None).await.is_ok());
        for host in [
            "private.test",
            "127.0.0.1",
            "::1",
            "localhost",
            "169.254.169.254",
            "not a name",
        ] {
            assert!(strict.addresses(host, Some(443)).await.is_err(), "{host}");
        }
        let open = outward(&["10.0.0.0/8", "127.0.0.0/8"]);
        assert!(open.addresses("private.test", Some(443)).await.is_ok());
        assert!(open.addresses("127.0.0.1", Some(443)).await.is_ok());
    }

    #[tokio::test]
    async fn the_server_itself_stays_refused() {
        let open = outward(&["127.0.0.0/8"]);
        let refused = open.addresses("127.0.0.1", Some(8080)).await.unwrap_err();
        assert!(refused.to_string().contains("127.0.0.1"), "{refused}");
    }
}
