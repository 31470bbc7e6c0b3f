//! `POST /v1/vaults/{vault_id}/credentials`.

use super::secret_name::secret_name;
use super::{
    Auth, CredentialFields, CredentialNetworking, InjectionLocation, Refresh, RefreshSecrets,
    Secrets, TokenEndpointAuth,
};
use crate::Timestamp;
use crate::agent::server_url;
use crate::decode::{At, Fields, Invalid, metadata};
use crate::environment::allowed_host;
use crate::limits::{CREDENTIAL_ALLOWED_HOSTS, CREDENTIAL_NAME_CHARS, OAUTH_TEXT_CHARS};
use crate::secret::SecretText;

/// A credential as it is asked for.
#[derive(Debug, Clone)]
pub struct CreateCredential {
    pub fields: CredentialFields,
    pub secrets: Secrets,
}

impl CreateCredential {
    /// `now` decides whether a token has expired.
    pub fn decode(at: At<'_>, now: Timestamp) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let (auth, secrets) = fields.required("auth", |at| auth(at, now))?;
        let create = Self {
            fields: CredentialFields {
                display_name: fields
                    .nullable("display_name", |at| at.text(CREDENTIAL_NAME_CHARS))?,
                auth,
                metadata: fields
                    .optional("metadata", |at| metadata(&at))?
                    .unwrap_or_default(),
            },
            secrets,
        };
        fields.finish()?;
        Ok(create)
    }
}

fn auth(at: At<'_>, now: Timestamp) -> Result<(Auth, Secrets), Invalid> {
    let mut fields = at.fields()?;
    let both = match fields.tag()? {
        "static_bearer" => {
            let token = fields.required("token", SecretText::decode)?;
            let mcp_server_url = fields.required("mcp_server_url", server_url)?;
            (
                Auth::StaticBearer { mcp_server_url },
                Secrets::StaticBearer { token },
            )
        }
        "mcp_oauth" => {
            let access_token = fields.required("access_token", SecretText::decode)?;
            let mcp_server_url = fields.required("mcp_server_url", server_url)?;
            let expires_at = fields.nullable("expires_at", |at| in_the_future(&at, now))?;
            let (refresh, refresh_secrets) = fields.nullable("refresh", refresh)?.unzip();
            let auth = Auth::McpOauth {
                mcp_server_url,
                expires_at,
                refresh,
            };
            let refresh = refresh_secrets;
            (
                auth,
                Secrets::McpOauth {
                    access_token,
                    refresh,
                },
            )
        }
        "environment_variable" => {
            let secret_value = fields.required("secret_value", SecretText::decode)?;
            let auth = Auth::EnvironmentVariable {
                secret_name: fields.required("secret_name", secret_name)?,
                networking: fields.required("networking", networking)?,
                injection_location: fields
                    .optional("injection_location", injection_location)?
                    .unwrap_or(InjectionLocation {
                        header: true,
                        body: true,
                    }),
            };
            (auth, Secrets::EnvironmentVariable { secret_value })
        }
        other => {
            let known = ["static_bearer", "mcp_oauth", "environment_variable"];
            return Err(fields.unknown_tag(other, &known));
        }
    };
    fields.finish()?;
    Ok(both)
}

pub(super) fn in_the_future(at: &At<'_>, now: Timestamp) -> Result<Timestamp, Invalid> {
    let text = at.value.as_str();
    let moment: Timestamp = text
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| at.invalid("Input should be a date and time of RFC 3339"))?;
    if moment <= now {
        return Err(at.invalid("Input should be in the future"));
    }
    Ok(moment)
}

fn refresh(at: At<'_>) -> Result<(Refresh, RefreshSecrets), Invalid> {
    let mut fields = at.fields()?;
    let (token_endpoint_auth, client_secret) =
        fields.required("token_endpoint_auth", token_endpoint_auth)?;
    let secrets = RefreshSecrets {
        refresh_token: fields.required("refresh_token", SecretText::decode)?,
        client_secret,
    };
    let refresh = Refresh {
        client_id: fields.required("client_id", oauth_text)?,
        token_endpoint: fields.required("token_endpoint", server_url)?,
        token_endpoint_auth,
        resource: fields.nullable("resource", oauth_text)?,
        scope: fields.nullable("scope", oauth_text)?,
    };
    fields.finish()?;
    Ok((refresh, secrets))
}

fn oauth_text(at: At<'_>) -> Result<String, Invalid> {
    at.text(OAUTH_TEXT_CHARS)
}

fn token_endpoint_auth(at: At<'_>) -> Result<(TokenEndpointAuth, Option<SecretText>), Invalid> {
    let mut fields = at.fields()?;
    let kind = match fields.tag()? {
        "none" => TokenEndpointAuth::None,
        "client_secret_basic" => TokenEndpointAuth::ClientSecretBasic,
        "client_secret_post" => TokenEndpointAuth::ClientSecretPost,
        other => {
            let known = ["none", "client_secret_basic", "client_secret_post"];
            return Err(fields.unknown_tag(other, &known));
        }
    };
    let client_secret = match kind {
        TokenEndpointAuth::None => None,
        TokenEndpointAuth::ClientSecretBasic | TokenEndpointAuth::ClientSecretPost => {
            Some(fields.required("client_secret", SecretText::decode)?)
        }
    };
    fields.finish()?;
    Ok((kind, client_secret))
}

pub(super) fn networking(at: At<'_>) -> Result<CredentialNetworking, Invalid> {
    let mut fields = at.fields()?;
    let networking = match fields.tag()? {
        "unrestricted" => CredentialNetworking::Unrestricted,
        "limited" => CredentialNetworking::Limited {
            allowed_hosts: fields.required("allowed_hosts", |at| {
                at.list(CREDENTIAL_ALLOWED_HOSTS, allowed_host)
            })?,
        },
        other => return Err(fields.unknown_tag(other, &["unrestricted", "limited"])),
    };
    fields.finish()?;
    Ok(networking)
}

/// Where the object is given, what it leaves out is false.
fn injection_location(at: At<'_>) -> Result<InjectionLocation, Invalid> {
    let none = InjectionLocation {
        header: false,
        body: false,
    };
    let mut fields = at.fields()?;
    let location = none.patched(&mut fields)?;
    fields.finish()?;
    Ok(location)
}

impl InjectionLocation {
    /// With the members that are given replaced; null is none of their values.
    pub(super) fn patched(self, fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        let patched = Self {
            header: fields
                .optional("header", |at| at.boolean())?
                .unwrap_or(self.header),
            body: fields
                .optional("body", |at| at.boolean())?
                .unwrap_or(self.body),
        };
        if !patched.header && !patched.body {
            return Err(fields
                .at()
                .invalid("one of 'header' and 'body' should be true"));
        }
        Ok(patched)
    }
}
