//! Trying out a credential: whether its server takes the token, and if not, whether a new one can be had.

use hostler_mcp::{Endpoint, HttpResponse, Probe, RefreshError, Secret};
use hostler_protocol::credential::{
    Auth, CapturedResponse, CredentialValidation, CredentialValidationType, McpProbe,
    RefreshAttempt, RefreshStatus, ValidationStatus,
};
use hostler_protocol::id::{CredentialId, VaultId, WorkspaceId};
use hostler_store::CredentialError;

use super::tokens::{McpTokens, Token, TokenError};

/// Why a credential can't be tried out.
#[derive(Debug, thiserror::Error)]
pub enum ValidationError {
    #[error("there is no such credential")]
    NotFound,
    #[error("Credential is archived.")]
    Archived,
    #[error("only a credential of the type mcp_oauth can be validated; this one is {0}")]
    NotOauth(&'static str),
    #[error("this server has no master key to open credentials with")]
    NoMasterKey,
    #[error(transparent)]
    Closed(CredentialError),
    #[error(transparent)]
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl McpTokens {
    /// Speaks to the credential's server as a session would, and renews the token if the server refuses it.
    ///
    /// # Errors
    /// When there is nothing to try out. That it does not work is no error.
    pub async fn validate(
        &self,
        workspace: WorkspaceId,
        vault: VaultId,
        id: CredentialId,
    ) -> Result<CredentialValidation, ValidationError> {
        let shared = &self.shared;
        let found = shared.store.credential(workspace, vault, id).await;
        let found = found.map_err(|error| ValidationError::Internal(error.into()))?;
        let found = found.ok_or(ValidationError::NotFound)?;
        let Auth::McpOauth {
            mcp_server_url: url,
            ..
        } = found.credential.auth.clone()
        else {
            return Err(ValidationError::NotOauth(found.credential.auth.type_name()));
        };
        if found.sealed.is_none() {
            return Err(ValidationError::Archived);
        }
        let has_refresh_token = shared.refresh_of(&found)?.is_some();
        let token = shared.open(found)?;
        let (status, mcp_probe, refresh) = self.try_out(&url, token).await?;
        Ok(CredentialValidation {
            kind: CredentialValidationType::default(),
            credential_id: id,
            vault_id: vault,
            validated_at: shared.env.now(),
            has_refresh_token,
            status,
            mcp_probe: mcp_probe.map(|probe| McpProbe {
                method: probe.method.to_owned(),
                http_response: probe.response.map(captured),
            }),
            refresh,
        })
    }

    async fn try_out(&self, url: &str, token: Token) -> Result<Verdict, ValidationError> {
        let Err(probe) = self.probe(url, token.secret.clone()).await else {
            return Ok((ValidationStatus::Valid, None, None));
        };
        if probe.response.as_ref().map(|response| response.status_code) != Some(401) {
            return Ok((status_of(&probe), Some(probe), None));
        }
        let attempt = |status, http_response| {
            Some(RefreshAttempt {
                status,
                http_response,
            })
        };
        Ok(match self.renewed(token).await {
            Ok(Some(renewed)) => {
                let refresh = attempt(RefreshStatus::Succeeded, None);
                match self.probe(url, renewed.secret).await {
                    Ok(()) => (ValidationStatus::Valid, None, refresh),
                    Err(probe) => (status_of(&probe), Some(probe), refresh),
                }
            }
            Ok(None) => {
                let refresh = attempt(RefreshStatus::NoRefreshToken, None);
                (ValidationStatus::Invalid, Some(probe), refresh)
            }
            Err(TokenError::Refresh(error)) => {
                let (status, refresh, response) = match error {
                    RefreshError::Rejected(response) => (
                        ValidationStatus::Invalid,
                        RefreshStatus::Failed,
                        Some(captured(response)),
                    ),
                    RefreshError::Unavailable(response) => (
                        ValidationStatus::Unknown,
                        RefreshStatus::Failed,
                        Some(captured(response)),
                    ),
                    RefreshError::Unreachable(_) => {
                        (ValidationStatus::Unknown, RefreshStatus::ConnectError, None)
                    }
                };
                (status, Some(probe), attempt(refresh, response))
            }
            Err(error) => return Err(error.into()),
        })
    }

    async fn probe(&self, url: &str, token: Secret) -> Result<(), Probe> {
        let endpoint = Endpoint {
            url: url.to_owned(),
            token: Some(token),
        };
        self.shared.client.probe(&endpoint).await
    }
}

type Verdict = (ValidationStatus, Option<Probe>, Option<RefreshAttempt>);

/// A server that says no to this token says it again; one in trouble, or out of reach, may not.
fn status_of(probe: &Probe) -> ValidationStatus {
    match probe.response.as_ref().map(|response| response.status_code) {
        Some(401 | 403) => ValidationStatus::Invalid,
        Some(_) | None => ValidationStatus::Unknown,
    }
}

fn captured(response: HttpResponse) -> CapturedResponse {
    CapturedResponse {
        status_code: response.status_code,
        content_type: response.content_type,
        body: response.body,
        body_truncated: response.body_truncated,
    }
}

impl From<TokenError> for ValidationError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NoMasterKey => Self::NoMasterKey,
            TokenError::Closed(error) => Self::Closed(error),
            TokenError::Gone => Self::NotFound,
            TokenError::Refresh(_)
            | TokenError::Store(_)
            | TokenError::NotKept
            | TokenError::Busy => Self::Internal(error.into()),
        }
    }
}
