//! What is secret of a credential, and its form inside the seal.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::secret::SecretText;

/// The secrets of one credential. They can't be printed.
#[derive(Debug, Clone)]
pub enum Secrets {
    StaticBearer {
        token: SecretText,
    },
    McpOauth {
        access_token: SecretText,
        refresh: Option<RefreshSecrets>,
    },
    EnvironmentVariable {
        secret_value: SecretText,
    },
}

#[derive(Debug, Clone)]
pub struct RefreshSecrets {
    pub refresh_token: SecretText,
    /// None where the client shows nothing to the token endpoint.
    pub client_secret: Option<SecretText>,
}

/// What was sealed is not what this program seals.
#[derive(Debug, thiserror::Error)]
#[error("the sealed secrets are not in a form that this version knows")]
pub struct UnreadableSecrets;

/// The form inside the seal. Never change the meaning of a name: databases are full of them.
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
enum Inside<'a> {
    StaticBearer {
        #[serde(borrow)]
        token: Text<'a>,
    },
    McpOauth {
        #[serde(borrow)]
        access_token: Text<'a>,
        #[serde(borrow)]
        refresh_token: Option<Text<'a>>,
        #[serde(borrow)]
        client_secret: Option<Text<'a>>,
    },
    EnvironmentVariable {
        #[serde(borrow)]
        secret_value: Text<'a>,
    },
}

type Text<'a> = std::borrow::Cow<'a, str>;

impl Secrets {
    /// The bytes to be sealed.
    ///
    /// # Errors
    /// Never in practice: there is nothing in it that JSON could not hold.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, UnreadableSecrets> {
        let inside = match self {
            Self::StaticBearer { token } => Inside::StaticBearer {
                token: token.expose().into(),
            },
            Self::McpOauth {
                access_token,
                refresh,
            } => {
                let client_secret = refresh
                    .as_ref()
                    .and_then(|refresh| refresh.client_secret.as_ref());
                Inside::McpOauth {
                    access_token: access_token.expose().into(),
                    refresh_token: refresh
                        .as_ref()
                        .map(|refresh| refresh.refresh_token.expose().into()),
                    client_secret: client_secret.map(|secret| secret.expose().into()),
                }
            }
            Self::EnvironmentVariable { secret_value } => Inside::EnvironmentVariable {
                secret_value: secret_value.expose().into(),
            },
        };
        let bytes = serde_json::to_vec(&inside).map_err(|_| UnreadableSecrets)?;
        Ok(Zeroizing::new(bytes))
    }

    /// What was sealed.
    ///
    /// # Errors
    /// When another version has sealed it in a form of its own.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, UnreadableSecrets> {
        let inside = serde_json::from_slice(bytes).map_err(|_| UnreadableSecrets)?;
        Ok(match inside {
            Inside::StaticBearer { token } => Self::StaticBearer {
                token: secret(token),
            },
            Inside::McpOauth {
                access_token,
                refresh_token,
                client_secret,
            } => Self::McpOauth {
                access_token: secret(access_token),
                refresh: refresh_token.map(|refresh_token| RefreshSecrets {
                    refresh_token: secret(refresh_token),
                    client_secret: client_secret.map(secret),
                }),
            },
            Inside::EnvironmentVariable { secret_value } => Self::EnvironmentVariable {
                secret_value: secret(secret_value),
            },
        })
    }
}

fn secret(text: Text<'_>) -> SecretText {
    SecretText::new(text.into_owned())
}
