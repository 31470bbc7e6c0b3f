//! Where packages come from: the gateway, with the registries open.

use hostler_egress::{AllowedHosts, Attachment, Listeners, Policy, package_manager_hosts};
use hostler_protocol::environment::Networking;
use hostler_sandbox::{Sandbox, SandboxError};

use crate::options::Parts;

/// Puts the gateway behind the sandbox that installs, for as long as the result lives. It reaches
/// what the environment allows, and the registries of the package managers in any case: an
/// environment that is limited still names its packages. The operator's own registries are such.
/// `None`: there is no way out here.
pub(super) async fn attach(
    parts: &Parts,
    sandbox: &Sandbox,
    networking: &Networking,
) -> Result<Option<Attachment>, SandboxError> {
    let Some(gateway) = parts.networks.gateway() else {
        return Ok(None);
    };
    let Some(sockets) = sandbox.gateway_sockets().await? else {
        return Ok(None);
    };
    let listeners = Listeners {
        tcp: sockets.intercepting,
        proxy: sockets.proxy,
        dns: sockets.names,
    };
    let policy = match networking {
        Networking::Unrestricted => Policy::Unrestricted,
        Networking::Limited { allowed_hosts, .. } => {
            let hosts = allowed_hosts.iter().map(String::as_str);
            let managers = package_manager_hosts().iter().copied();
            let own = parts.options.packages.environment.values();
            let own = own.flat_map(|value| hosts_of_urls(value));
            Policy::Limited(AllowedHosts::new(hosts.chain(managers).chain(own)))
        }
    };
    let name = sandbox.name().to_string();
    Ok(Some(gateway.attach(name, policy, listeners)?))
}

/// Of what an operator wrote: a URL, several, or something else.
fn hosts_of_urls(value: &str) -> impl Iterator<Item = &str> {
    let urls = value.split(|character: char| character.is_whitespace() || ",|".contains(character));
    urls.filter_map(|url| {
        let (_, rest) = url.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let (_, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        let host = host.split(':').next()?;
        (!host.is_empty()).then_some(host)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_of_an_operators_registries_are_known() {
        let hosts = |value| hosts_of_urls(value).collect::<Vec<_>>();
        assert_eq!(hosts("https://user:word@a.test:8443/simple"), ["a.test"]);
        assert_eq!(
            hosts("http://a.test|https://b.test,direct"),
            ["a.test", "b.test"]
        );
        assert_eq!(hosts("sparse+https://index.test/"), ["index.test"]);
        assert_eq!(hosts("off"), [""; 0]);
    }
}
