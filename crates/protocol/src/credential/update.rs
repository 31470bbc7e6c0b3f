//! `POST /v1/vaults/{vault_id}/credentials/{credential_id}`.
//!
//! What a credential is for can't be changed; its secrets can, and how it is used.

use serde_json::Value;

use super::create::{in_the_future, networking};
use super::{Auth, CredentialFields, Refresh, RefreshSecrets, Secrets};
use crate::Timestamp;
use crate::decode::{At, Fields, Invalid, metadata_patch, patch_metadata};
use crate::limits::{CREDENTIAL_NAME_CHARS, OAUTH_TEXT_CHARS};
use crate::secret::SecretText;

/// What of an update needs no look at the credential. `auth` is read against what it is.
#[derive(Debug, Clone)]
pub struct UpdateCredential {
    display_name: Option<String>,
    metadata: Vec<(String, Option<String>)>,
    /// None: kept.
    auth: Option<AuthText>,
}

/// An `auth` as it came, with secrets in it: it can't be printed.
#[derive(Clone)]
struct AuthText(Value);

impl std::fmt::Debug for AuthText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl UpdateCredential {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let update = Self {
            display_name: fields.nullable("display_name", |at| at.text(CREDENTIAL_NAME_CHARS))?,
            metadata: fields
                .nullable("metadata", |at| metadata_patch(&at))?
                .unwrap_or_default(),
            auth: fields.nullable("auth", |at| Ok(AuthText(at.value.clone())))?,
        };
        fields.finish()?;
        Ok(update)
    }

    /// What holds after the update.
    pub fn apply(
        &self,
        current: CredentialFields,
        secrets: Secrets,
        now: Timestamp,
    ) -> Result<(CredentialFields, Secrets), Invalid> {
        let (auth, secrets) = match &self.auth {
            None => (current.auth, secrets),
            Some(AuthText(value)) => {
                let at = At {
                    value,
                    path: "auth".to_owned(),
                };
                patched_auth(at, current.auth, secrets, now)?
            }
        };
        let fields = CredentialFields {
            display_name: self.display_name.clone().or(current.display_name),
            auth,
            metadata: patch_metadata(current.metadata, self.metadata.clone(), "metadata")?,
        };
        Ok((fields, secrets))
    }
}

fn patched_auth(
    at: At<'_>,
    mut auth: Auth,
    mut secrets: Secrets,
    now: Timestamp,
) -> Result<(Auth, Secrets), Invalid> {
    let mut fields = at.fields()?;
    let tag = fields.tag()?;
    if tag != auth.type_name() {
        let stored = auth.type_name();
        let message =
            format!("Input should be '{stored}': the type of a credential can't be changed");
        return Err(Invalid::new("auth.type", message));
    }
    match (&mut auth, &mut secrets) {
        (Auth::StaticBearer { .. }, Secrets::StaticBearer { token }) => {
            refuse_locked(&mut fields, "mcp_server_url")?;
            replace_secret(&mut fields, "token", token)?;
        }
        (
            Auth::McpOauth {
                expires_at,
                refresh,
                ..
            },
            Secrets::McpOauth {
                access_token,
                refresh: refresh_secrets,
            },
        ) => {
            refuse_locked(&mut fields, "mcp_server_url")?;
            replace_secret(&mut fields, "access_token", access_token)?;
            let expiry = fields.patch("expires_at", |at| in_the_future(&at, now))?;
            *expires_at = expiry.apply(*expires_at);
            if let Some(at) = fields.take("refresh").filter(|at| !at.value.is_null()) {
                let (Some(refresh), Some(secrets)) = (refresh, refresh_secrets) else {
                    return Err(at.invalid(
                        "a credential that was made without it can't get it: archive it and create another",
                    ));
                };
                patch_refresh(at, refresh, secrets)?;
            }
        }
        (
            Auth::EnvironmentVariable {
                networking: hosts,
                injection_location,
                ..
            },
            Secrets::EnvironmentVariable { secret_value },
        ) => {
            refuse_locked(&mut fields, "secret_name")?;
            replace_secret(&mut fields, "secret_value", secret_value)?;
            if let Some(new) = fields.nullable("networking", networking)? {
                *hosts = new;
            }
            if let Some(at) = fields.take("injection_location") {
                let mut members = at.fields()?;
                *injection_location = injection_location.patched(&mut members)?;
                members.finish()?;
            }
        }
        // What is sealed is of the kind that it was stored with: anything else was tampered with.
        (_auth, _other) => {
            let message = "the stored secrets are of another kind";
            return Err(Invalid::new("auth", message));
        }
    }
    fields.finish()?;
    Ok((auth, secrets))
}

/// Null and absent keep.
fn replace_secret(
    fields: &mut Fields<'_>,
    key: &'static str,
    stored: &mut SecretText,
) -> Result<(), Invalid> {
    if let Some(new) = fields.nullable(key, SecretText::decode)? {
        *stored = new;
    }
    Ok(())
}

fn refuse_locked(fields: &mut Fields<'_>, key: &'static str) -> Result<(), Invalid> {
    match fields.take(key) {
        None => Ok(()),
        Some(at) => {
            Err(at.invalid("this can't be changed: archive the credential and create another"))
        }
    }
}

fn patch_refresh(
    at: At<'_>,
    refresh: &mut Refresh,
    secrets: &mut RefreshSecrets,
) -> Result<(), Invalid> {
    let mut fields = at.fields()?;
    refuse_locked(&mut fields, "client_id")?;
    refuse_locked(&mut fields, "token_endpoint")?;
    replace_secret(&mut fields, "refresh_token", &mut secrets.refresh_token)?;
    // Empty text clears it.
    if let Some(scope) = fields.nullable("scope", |at| at.text(0..=*OAUTH_TEXT_CHARS.end()))? {
        refresh.scope = (!scope.is_empty()).then_some(scope);
    }
    if let Some(at) = fields
        .take("token_endpoint_auth")
        .filter(|at| !at.value.is_null())
    {
        // The kind that was stored stays, whichever of the two is named.
        let mut members = at.fields()?;
        match members.tag()? {
            "client_secret_basic" | "client_secret_post" => {}
            other => {
                let known = ["client_secret_basic", "client_secret_post"];
                return Err(members.unknown_tag(other, &known));
            }
        }
        if let Some(new) = members.nullable("client_secret", SecretText::decode)? {
            let Some(stored) = &mut secrets.client_secret else {
                return Err(members.at().invalid(
                    "the client of this credential has no secret: archive it and create another",
                ));
            };
            *stored = new;
        }
        members.finish()?;
    }
    fields.finish()
}
