//! Vaults: named collections of credentials that sessions are given. What is secret is in the
//! credentials; a vault itself has none.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::decode::{At, Invalid, Metadata, metadata, metadata_patch, patch_metadata};
use crate::id::VaultId;
use crate::limits::VAULT_NAME_CHARS;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Vault {
    pub id: VaultId,
    #[serde(rename = "type")]
    pub kind: VaultType,
    pub display_name: String,
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
}

/// What is left of a deleted vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedVault {
    pub id: VaultId,
    #[serde(rename = "type")]
    pub kind: DeletedVaultType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VaultType {
    #[default]
    Vault,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletedVaultType {
    #[default]
    VaultDeleted,
}

/// What an update replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultFields {
    pub display_name: String,
    pub metadata: Metadata,
}

impl Vault {
    pub fn new(id: VaultId, fields: VaultFields, created_at: Timestamp) -> Self {
        Self {
            id,
            kind: VaultType::Vault,
            display_name: fields.display_name,
            metadata: fields.metadata,
            created_at,
            updated_at: created_at,
            archived_at: None,
        }
    }

    pub fn fields(&self) -> VaultFields {
        VaultFields {
            display_name: self.display_name.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

impl VaultFields {
    /// `POST /v1/vaults`.
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let vault = Self {
            display_name: fields.required("display_name", |at| at.text(VAULT_NAME_CHARS))?,
            metadata: fields
                .optional("metadata", |at| metadata(&at))?
                .unwrap_or_default(),
        };
        fields.finish()?;
        Ok(vault)
    }
}

/// `POST /v1/vaults/{vault_id}`: what is left out or null is kept.
#[derive(Debug, Clone)]
pub struct UpdateVault {
    display_name: Option<String>,
    /// A string sets a key, null deletes it.
    metadata: Vec<(String, Option<String>)>,
}

impl UpdateVault {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let update = Self {
            display_name: fields.nullable("display_name", |at| at.text(VAULT_NAME_CHARS))?,
            metadata: fields
                .nullable("metadata", |at| metadata_patch(&at))?
                .unwrap_or_default(),
        };
        fields.finish()?;
        Ok(update)
    }

    /// What holds after the update.
    pub fn apply(self, current: VaultFields) -> Result<VaultFields, Invalid> {
        Ok(VaultFields {
            display_name: self.display_name.unwrap_or(current.display_name),
            metadata: patch_metadata(current.metadata, self.metadata, "metadata")?,
        })
    }
}
