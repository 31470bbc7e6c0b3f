//! The gateway's rules about addresses, for connections of the server itself.

use std::net::IpAddr;

use futures::FutureExt;
use futures::future::BoxFuture;
use hostler_egress::Outward;
use hostler_mcp::{Guard, Refused};

/// Lets connections to MCP servers and to token endpoints go where those of a sandbox may.
#[derive(Debug)]
pub struct EgressGuard(pub Outward);

impl Guard for EgressGuard {
    fn addresses(
        &self,
        host: String,
        port: Option<u16>,
    ) -> BoxFuture<'static, Result<Vec<IpAddr>, Refused>> {
        let outward = self.0.clone();
        async move {
            let found = outward.addresses(&host, port).await;
            found.map_err(|refused| Refused(refused.to_string()))
        }
        .boxed()
    }
}
