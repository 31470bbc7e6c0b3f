//! Credentials: what a vault holds for one MCP server or one environment variable.
//!
//! A request is read (`create.rs`, `update.rs`) and falls into two: [`Auth`], which everybody who
//! may see the credential sees, and [`Secrets`], which are sealed before they are stored and never
//! leave in a response. [`Credential`] is the response.

mod create;
mod secret_name;
mod secrets;
mod update;
mod validation;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::agent::canonical_url;
use crate::decode::Metadata;
use crate::id::{CredentialId, VaultId};

pub use create::CreateCredential;
pub use secrets::{RefreshSecrets, Secrets, UnreadableSecrets};
pub use update::UpdateCredential;
pub use validation::{
    CapturedResponse, CredentialValidation, CredentialValidationType, McpProbe, RefreshAttempt,
    RefreshStatus, ValidationStatus,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Credential {
    pub id: CredentialId,
    #[serde(rename = "type")]
    pub kind: CredentialType,
    pub vault_id: VaultId,
    pub display_name: Option<String>,
    pub auth: Auth,
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
}

/// What is left of a deleted credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedCredential {
    pub id: CredentialId,
    #[serde(rename = "type")]
    pub kind: DeletedCredentialType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialType {
    #[default]
    VaultCredential,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletedCredentialType {
    #[default]
    VaultCredentialDeleted,
}

/// What an update replaces, without what is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFields {
    pub display_name: Option<String>,
    pub auth: Auth,
    pub metadata: Metadata,
}

/// What a credential is for and how it is used: all of it but the secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Auth {
    /// A token that is sent to an MCP server as it is.
    StaticBearer { mcp_server_url: String },
    /// A token of OAuth for an MCP server, which may be renewed.
    McpOauth {
        mcp_server_url: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, format = DateTime)]
        expires_at: Option<Timestamp>,
        refresh: Option<Refresh>,
    },
    /// A variable of the sandbox whose value stands in for the secret.
    EnvironmentVariable {
        secret_name: String,
        networking: CredentialNetworking,
        injection_location: InjectionLocation,
    },
}

/// How a token is renewed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Refresh {
    pub client_id: String,
    pub token_endpoint: String,
    pub token_endpoint_auth: TokenEndpointAuth,
    pub resource: Option<String>,
    pub scope: Option<String>,
}

/// How the client shows the token endpoint who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TokenEndpointAuth {
    None,
    ClientSecretBasic,
    ClientSecretPost,
}

/// The hosts that a secret may be sent to, within what the environment lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum CredentialNetworking {
    Unrestricted,
    Limited { allowed_hosts: Vec<String> },
}

/// The parts of a request in which the secret takes the placeholder's place. One of them at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InjectionLocation {
    pub header: bool,
    pub body: bool,
}

impl Credential {
    pub fn new(
        id: CredentialId,
        vault_id: VaultId,
        fields: CredentialFields,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            kind: CredentialType::VaultCredential,
            vault_id,
            display_name: fields.display_name,
            auth: fields.auth,
            metadata: fields.metadata,
            created_at,
            updated_at: created_at,
            archived_at: None,
        }
    }

    pub fn fields(&self) -> CredentialFields {
        CredentialFields {
            display_name: self.display_name.clone(),
            auth: self.auth.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

impl Auth {
    /// What no other active credential of the vault may have: the server or the variable that it is for.
    pub fn key(&self) -> String {
        match self {
            Self::StaticBearer { mcp_server_url } | Self::McpOauth { mcp_server_url, .. } => {
                canonical_url(mcp_server_url)
            }
            Self::EnvironmentVariable { secret_name, .. } => secret_name.clone(),
        }
    }

    /// The word for it in requests.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::StaticBearer { .. } => "static_bearer",
            Self::McpOauth { .. } => "mcp_oauth",
            Self::EnvironmentVariable { .. } => "environment_variable",
        }
    }
}
