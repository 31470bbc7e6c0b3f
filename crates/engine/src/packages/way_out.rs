//! Where packages come from: the gateway, with the registries open.

use hostler_egress::{AllowedHosts, Attachment, Listeners, Policy, package_manager_hosts};
use hostler_protocol::environment::Networking;
use hostler_sandbox::{Sandbox, SandboxError};

use crate::options::Parts;

/// Puts the gateway behind the sandbox that installs, for as long as the result lives. It reaches
/// what the environment allows, and the registries of the package managers in any case: an
/// environment that is limited still names its packages. `None`: there is no way out here.
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
            Policy::Limited(AllowedHosts::new(hosts.chain(managers)))
        }
    };
    let name = sandbox.name().to_string();
    Ok(Some(gateway.attach(name, policy, listeners)?))
}
