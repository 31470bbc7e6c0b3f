//! Environments: where the tools of a session run, and what they may reach.
//!
//! Environments aren't versioned. [`Environment`] is the response, [`EnvironmentConfig`] what is
//! stored and sent; requests and the merging of updates are in `environment/request.rs`.

mod host;
mod request;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Timestamp;
use crate::decode::{Invalid, Metadata};
use crate::id::EnvironmentId;

pub(crate) use host::allowed_host;
pub use host::is_host_listed;
pub use request::{CreateEnvironment, UpdateEnvironment};

/// What an update replaces; the rest of an environment is history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentFields {
    pub name: String,
    pub description: Option<String>,
    pub config: EnvironmentConfig,
    pub metadata: Metadata,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Environment {
    pub id: EnvironmentId,
    #[serde(rename = "type")]
    pub kind: EnvironmentType,
    pub name: String,
    pub description: Option<String>,
    pub config: EnvironmentConfig,
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    pub scope: EnvironmentScope,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
}

/// What is left of a deleted environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeletedEnvironment {
    pub id: EnvironmentId,
    #[serde(rename = "type")]
    pub kind: DeletedEnvironmentType,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentType {
    #[default]
    Environment,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeletedEnvironmentType {
    #[default]
    EnvironmentDeleted,
}

/// Who sees an environment. A workspace has no accounts, so there is only one answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentScope {
    #[default]
    Organization,
}

/// The `type` is fixed for life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EnvironmentConfig {
    /// A sandbox that the server makes.
    Cloud {
        networking: Networking,
        packages: Packages,
    },
    /// Workers of the client's own, through the work queue.
    SelfHosted,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Networking {
    Unrestricted,
    Limited {
        allowed_hosts: Vec<String>,
        allow_mcp_servers: bool,
        allow_package_managers: bool,
    },
}

/// What is installed before a session starts, in each manager's own syntax.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Packages {
    #[serde(rename = "type")]
    pub kind: PackagesType,
    pub apt: Vec<String>,
    pub cargo: Vec<String>,
    pub gem: Vec<String>,
    pub go: Vec<String>,
    pub npm: Vec<String>,
    pub pip: Vec<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PackagesType {
    #[default]
    Packages,
}

impl Packages {
    pub fn is_empty(&self) -> bool {
        [
            &self.apt,
            &self.cargo,
            &self.gem,
            &self.go,
            &self.npm,
            &self.pip,
        ]
        .into_iter()
        .all(Vec::is_empty)
    }
}

impl Default for EnvironmentConfig {
    fn default() -> Self {
        Self::Cloud {
            networking: Networking::Unrestricted,
            packages: Packages::default(),
        }
    }
}

impl Environment {
    pub fn new(id: EnvironmentId, fields: EnvironmentFields, created_at: Timestamp) -> Self {
        Self {
            id,
            kind: EnvironmentType::Environment,
            name: fields.name,
            description: fields.description,
            config: fields.config,
            metadata: fields.metadata,
            scope: EnvironmentScope::Organization,
            created_at,
            updated_at: created_at,
            archived_at: None,
        }
    }

    pub fn fields(&self) -> EnvironmentFields {
        EnvironmentFields {
            name: self.name.clone(),
            description: self.description.clone(),
            config: self.config.clone(),
            metadata: self.metadata.clone(),
        }
    }

    /// The first thing that keeps a session from running here.
    pub fn unsupported(&self) -> Option<Invalid> {
        match &self.config {
            EnvironmentConfig::SelfHosted => {
                let feature = "a self_hosted environment";
                Some(Invalid::unsupported("environment_id", feature))
            }
            EnvironmentConfig::Cloud { .. } => None,
        }
    }
}
