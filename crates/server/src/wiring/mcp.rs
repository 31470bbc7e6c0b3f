//! What speaks to MCP servers, and what tries out credentials for them.

use std::net::SocketAddr;
use std::sync::Arc;

use hostler_domain::Env;
use hostler_egress::Outward;
use hostler_engine::{EgressGuard, McpTokens, ValidationError};
use hostler_http::{CredentialTrial, TrialError};
use hostler_mcp::{Client, ConnectError};
use hostler_store::Store;
use hostler_vault::Keyring;

use super::gateway_options;
use crate::config::Config;

/// The tokens of credentials, by connections that go where those of sandboxes may.
pub(crate) fn tokens(
    config: &Config,
    listening: SocketAddr,
    store: Store,
    env: Env,
    keyring: Option<Arc<Keyring>>,
) -> Result<McpTokens, ConnectError> {
    let outward = Outward::new(gateway_options(&config.network, listening));
    let client = Client::new(Arc::new(EgressGuard(outward)), config.mcp.clone())?;
    Ok(McpTokens::new(store, env, keyring, client))
}

pub(crate) fn credential_trial(tokens: McpTokens) -> CredentialTrial {
    Arc::new(move |workspace, vault, id| {
        let tokens = tokens.clone();
        Box::pin(async move {
            let validated = tokens.validate(workspace, vault, id).await;
            validated.map_err(|error| match error {
                ValidationError::NotFound => TrialError::NotFound,
                ValidationError::Archived
                | ValidationError::NotOauth(_)
                | ValidationError::NoMasterKey => TrialError::Invalid(error.to_string()),
                ValidationError::Closed(_) | ValidationError::Internal(_) => {
                    TrialError::Internal(error.into())
                }
            })
        })
    })
}
