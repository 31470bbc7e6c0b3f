//! What trying out a credential has shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::id::{CredentialId, VaultId};

/// The answer to `mcp_oauth_validate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CredentialValidation {
    #[serde(rename = "type")]
    pub kind: CredentialValidationType,
    pub credential_id: CredentialId,
    pub vault_id: VaultId,
    #[schema(value_type = String, format = DateTime)]
    pub validated_at: Timestamp,
    pub has_refresh_token: bool,
    pub status: ValidationStatus,
    /// The step that failed; null if none did.
    pub mcp_probe: Option<McpProbe>,
    /// Null if no token was renewed.
    pub refresh: Option<RefreshAttempt>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CredentialValidationType {
    #[default]
    VaultCredentialValidation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValidationStatus {
    Valid,
    /// It won't get better by itself: somebody has to authorise anew.
    Invalid,
    /// Servers were in trouble or out of reach. Another try may tell.
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct McpProbe {
    /// The method of the protocol that failed, such as `initialize`.
    pub method: String,
    /// Null if no answer came.
    pub http_response: Option<CapturedResponse>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefreshAttempt {
    pub status: RefreshStatus,
    /// With `failed` only.
    pub http_response: Option<CapturedResponse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshStatus {
    Succeeded,
    Failed,
    ConnectError,
    NoRefreshToken,
}

/// An answer of another server, cut and without secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CapturedResponse {
    pub status_code: u16,
    pub content_type: String,
    pub body: String,
    pub body_truncated: bool,
}
