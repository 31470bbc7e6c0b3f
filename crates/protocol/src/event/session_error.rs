//! `session.error`: what went wrong, and whether the session goes on by itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::credential::Credential;
use crate::id::{CredentialId, VaultId};

/// `error` of a `session.error` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionError {
    #[serde(rename = "type")]
    pub kind: SessionErrorKind,
    /// Written for the person who runs the agent; holds no secrets.
    pub message: String,
    pub retry_status: RetryStatus,
    /// Of an error about a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_url: Option<String>,
    /// Of an error about a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_id: Option<CredentialId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_id: Option<VaultId>,
    /// Of an error about an MCP server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcp_server_name: Option<String>,
}

impl SessionError {
    /// One that is about nothing but the session.
    pub fn new(
        kind: SessionErrorKind,
        message: impl Into<String>,
        retry_status: RetryStatus,
    ) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_status,
            repository_url: None,
            credential_id: None,
            vault_id: None,
            mcp_server_name: None,
        }
    }

    /// The session goes on, and what the credential is for does not work.
    pub fn of_credential(
        kind: SessionErrorKind,
        message: impl Into<String>,
        credential: &Credential,
    ) -> Self {
        Self {
            credential_id: Some(credential.id),
            vault_id: Some(credential.vault_id),
            ..Self::new(kind, message, RetryStatus::Retrying)
        }
    }

    /// The session goes on without the repository, and tries again later.
    pub fn of_repository(
        kind: SessionErrorKind,
        message: impl Into<String>,
        url: impl Into<String>,
    ) -> Self {
        Self {
            repository_url: Some(url.into()),
            ..Self::new(kind, message, RetryStatus::Retrying)
        }
    }
}

impl SessionError {
    /// The session goes on without the server, and tries again in its next turn.
    pub fn of_mcp_server(
        kind: SessionErrorKind,
        message: impl Into<String>,
        name: impl Into<String>,
    ) -> Self {
        Self {
            mcp_server_name: Some(name.into()),
            ..Self::new(kind, message, RetryStatus::Retrying)
        }
    }
}

/// The part of the contract's closed set that this version can produce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionErrorKind {
    UnknownError,
    ModelOverloadedError,
    ModelRateLimitedError,
    ModelRequestFailedError,
    BillingError,
    ToolUseLimitReachedError,
    CompactionLimitReachedError,
    /// A credential is for a host that the session's environment does not permit.
    CredentialHostUnreachableError,
    /// A repository is not there without a sign-in.
    RepositoryAuthenticationError,
    RepositoryForbiddenError,
    RepositoryNotFoundError,
    /// The branch or the commit that was asked for is not there, or can't be checked out.
    RepositoryCheckoutError,
    RepositoryCloneError,
    McpConnectionFailedError,
    /// The server wants a token, or another one.
    McpAuthenticationFailedError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RetryStatus {
    /// The server goes on by itself.
    Retrying,
    /// This turn is over; the session is idle and takes new input.
    Exhausted,
    /// The session becomes terminated.
    Terminal,
}
