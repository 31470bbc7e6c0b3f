//! Section `[network]`: what sandboxes may reach of what is not the public internet.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hostler_egress::{HostName, Network};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::resolve::Resolving;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RawNetwork {
    /// `gateway` lets sandboxes reach what their environment allows, through the server's own gateway.
    /// `none` cuts all of them off, whatever their environments say; the agents are told.
    pub mode: NetworkMode,
    /// Networks that a name may lead to although they are not public, such as those of an office. The
    /// environment of a session decides about the name as ever, and the server's own address stays
    /// refused.
    /// Example: allowed_networks = ["10.20.0.0/16"]
    pub allowed_networks: Vec<String>,
    /// Addresses of names that sandboxes reach, instead of those that a name server knows; any address,
    /// private ones too. Nobody but sandboxes is told.
    /// Example: hosts = { "mirror.internal" = "10.20.0.5" }
    pub hosts: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    #[default]
    Gateway,
    None,
}

/// The resolved section.
#[derive(Debug, Clone)]
pub struct NetworkOptions {
    pub mode: NetworkMode,
    pub allowed_networks: Vec<Network>,
    pub hosts: BTreeMap<HostName, IpAddr>,
}

impl RawNetwork {
    pub(super) fn resolve(
        &self,
        at: &Resolving<'_>,
        problems: &mut Vec<Problem>,
    ) -> NetworkOptions {
        let mut allowed_networks = Vec::new();
        for text in &self.allowed_networks {
            match text.parse() {
                Ok(network) => allowed_networks.push(network),
                Err(error) => {
                    let message = format!("{text:?}: {error}");
                    problems.push(at.problem(&["network", "allowed_networks"], message));
                }
            }
        }
        let mut hosts = BTreeMap::new();
        for (name, address) in &self.hosts {
            let path = ["network", "hosts", name.as_str()];
            let parsed: Option<IpAddr> = address.parse().ok();
            match (name.parse::<HostName>(), parsed) {
                (Ok(name), Some(address)) => _ = hosts.insert(name, address),
                (Err(error), _) => problems.push(at.key_problem(&path, error.to_string())),
                (Ok(_), None) => {
                    let message = format!("{address:?} is not an IP address");
                    problems.push(at.problem(&path, message));
                }
            }
        }
        NetworkOptions {
            mode: self.mode,
            allowed_networks,
            hosts,
        }
    }
}
