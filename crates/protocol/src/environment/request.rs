//! Create and update requests of environments.

use super::host::allowed_host;
use super::{EnvironmentConfig, EnvironmentFields, Networking, Packages, PackagesType};
use crate::decode::{
    At, Fields, Invalid, Metadata, Patch, metadata, metadata_patch, patch_metadata,
};
use crate::limits::{
    ENVIRONMENT_ALLOWED_HOSTS_MAX, ENVIRONMENT_DESCRIPTION_CHARS_MAX, ENVIRONMENT_NAME_CHARS,
    ENVIRONMENT_PACKAGE_CHARS, ENVIRONMENT_PACKAGES_MAX,
};

/// `POST /v1/environments`.
#[derive(Debug, Clone)]
pub struct CreateEnvironment {
    name: String,
    description: Option<String>,
    config: Option<ConfigParams>,
    metadata: Metadata,
}

/// `POST /v1/environments/{environment_id}`: what is left out is kept.
#[derive(Debug, Clone)]
pub struct UpdateEnvironment {
    name: Option<String>,
    description: Patch<String>,
    config: Option<ConfigParams>,
    /// A string sets a key; null and empty text delete it.
    metadata: Vec<(String, Option<String>)>,
}

#[derive(Debug, Clone)]
enum ConfigParams {
    Cloud {
        networking: Option<NetworkingParams>,
        packages: Option<PackagesParams>,
    },
    SelfHosted,
}

#[derive(Debug, Clone)]
enum NetworkingParams {
    Unrestricted,
    Limited {
        allowed_hosts: Option<Vec<String>>,
        allow_mcp_servers: Option<bool>,
        allow_package_managers: Option<bool>,
    },
}

#[derive(Debug, Clone)]
struct PackagesParams {
    apt: Option<Vec<String>>,
    cargo: Option<Vec<String>>,
    gem: Option<Vec<String>>,
    go: Option<Vec<String>>,
    npm: Option<Vec<String>>,
    pip: Option<Vec<String>>,
}

impl CreateEnvironment {
    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let create = Self {
            name: fields.required("name", |at| at.text(ENVIRONMENT_NAME_CHARS))?,
            description: fields.nullable("description", description)?,
            config: fields.nullable("config", ConfigParams::decode)?,
            metadata: fields
                .optional("metadata", |at| metadata(&at))?
                .unwrap_or_default(),
        };
        fields.nullable("scope", scope)?;
        fields.finish()?;
        Ok(create)
    }

    pub fn resolve(self) -> Result<EnvironmentFields, Invalid> {
        let config = match self.config {
            None => EnvironmentConfig::default(),
            Some(ConfigParams::SelfHosted) => EnvironmentConfig::SelfHosted,
            Some(cloud) => cloud.merge(EnvironmentConfig::default())?,
        };
        Ok(EnvironmentFields {
            name: self.name,
            description: self.description,
            config,
            metadata: self.metadata,
        })
    }
}

impl UpdateEnvironment {
    /// What it sets in the metadata, without what it deletes or leaves.
    pub fn set_metadata(&self) -> Metadata {
        let set = self.metadata.iter().filter_map(|(key, value)| {
            let value = value.as_ref().filter(|value| !value.is_empty())?;
            Some((key.clone(), value.clone()))
        });
        set.collect()
    }

    pub fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let update = Self {
            name: fields.nullable("name", |at| at.text(ENVIRONMENT_NAME_CHARS))?,
            description: fields.patch("description", description)?,
            config: fields.nullable("config", ConfigParams::decode)?,
            metadata: fields
                .nullable("metadata", |at| metadata_patch(&at))?
                .unwrap_or_default(),
        };
        fields.nullable("scope", scope)?;
        fields.finish()?;
        Ok(update)
    }

    /// What holds after the update.
    pub fn apply(self, current: EnvironmentFields) -> Result<EnvironmentFields, Invalid> {
        // Here, unlike elsewhere, empty text deletes a key as null does.
        let changes = self
            .metadata
            .into_iter()
            .map(|(key, value)| (key, value.filter(|value| !value.is_empty())))
            .collect();
        Ok(EnvironmentFields {
            name: self.name.unwrap_or(current.name),
            description: self.description.apply(current.description),
            config: match self.config {
                None => current.config,
                Some(config) => config.merge(current.config)?,
            },
            metadata: patch_metadata(current.metadata, changes, "metadata")?,
        })
    }
}

fn description(at: At<'_>) -> Result<String, Invalid> {
    at.text(0..=ENVIRONMENT_DESCRIPTION_CHARS_MAX)
}

/// `account` is a word of the contract, but a workspace has no accounts.
fn scope(at: At<'_>) -> Result<(), Invalid> {
    at.word(&[("organization", ())])
}

impl ConfigParams {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let config = match fields.tag()? {
            // `anthropic_cloud` is the older name.
            "cloud" | "anthropic_cloud" => Self::Cloud {
                networking: fields.nullable("networking", NetworkingParams::decode)?,
                packages: fields.nullable("packages", PackagesParams::decode)?,
            },
            "self_hosted" => Self::SelfHosted,
            other => return Err(fields.unknown_tag(other, &["cloud", "self_hosted"])),
        };
        fields.finish()?;
        Ok(config)
    }

    /// Level by level: what is left out keeps its stored value.
    fn merge(self, stored: EnvironmentConfig) -> Result<EnvironmentConfig, Invalid> {
        let (networking, packages, stored_networking, stored_packages) = match (self, stored) {
            (Self::SelfHosted, EnvironmentConfig::SelfHosted) => {
                return Ok(EnvironmentConfig::SelfHosted);
            }
            (
                Self::Cloud {
                    networking,
                    packages,
                },
                EnvironmentConfig::Cloud {
                    networking: stored_networking,
                    packages: stored_packages,
                },
            ) => (networking, packages, stored_networking, stored_packages),
            (Self::SelfHosted, EnvironmentConfig::Cloud { .. })
            | (Self::Cloud { .. }, EnvironmentConfig::SelfHosted) => {
                let message = "the type of an environment can't be changed";
                return Err(
                    Invalid::new("config.type", message).with_code("invalid_config_type_change")
                );
            }
        };
        let networking = match networking {
            None => stored_networking,
            Some(networking) => networking.merge(stored_networking),
        };
        let packages = match packages {
            None => stored_packages,
            Some(packages) => packages.merge(stored_packages),
        };
        check_packages(&networking, &packages)?;
        Ok(EnvironmentConfig::Cloud {
            networking,
            packages,
        })
    }
}

/// Packages can't be installed where their registries can't be reached.
fn check_packages(networking: &Networking, packages: &Packages) -> Result<(), Invalid> {
    let out_of_reach = matches!(
        networking,
        Networking::Limited {
            allow_package_managers: false,
            ..
        }
    );
    if out_of_reach && !packages.is_empty() {
        return Err(Invalid::new(
            "config.networking.allow_package_managers",
            "Input should be true where packages are listed",
        ));
    }
    Ok(())
}

impl NetworkingParams {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        let networking = match fields.tag()? {
            "unrestricted" => Self::Unrestricted,
            "limited" => Self::Limited {
                allowed_hosts: fields.nullable("allowed_hosts", |at| {
                    at.list(0..=ENVIRONMENT_ALLOWED_HOSTS_MAX, allowed_host)
                })?,
                allow_mcp_servers: fields.nullable("allow_mcp_servers", |at| at.boolean())?,
                allow_package_managers: fields
                    .nullable("allow_package_managers", |at| at.boolean())?,
            },
            other => return Err(fields.unknown_tag(other, &["unrestricted", "limited"])),
        };
        fields.finish()?;
        Ok(networking)
    }

    /// A limited network that was unrestricted before starts from nothing allowed.
    fn merge(self, stored: Networking) -> Networking {
        let (allowed_hosts, allow_mcp_servers, allow_package_managers) = match self {
            Self::Unrestricted => return Networking::Unrestricted,
            Self::Limited {
                allowed_hosts,
                allow_mcp_servers,
                allow_package_managers,
            } => (allowed_hosts, allow_mcp_servers, allow_package_managers),
        };
        let (stored_hosts, stored_mcp, stored_managers) = match stored {
            Networking::Unrestricted => (Vec::new(), false, false),
            Networking::Limited {
                allowed_hosts,
                allow_mcp_servers,
                allow_package_managers,
            } => (allowed_hosts, allow_mcp_servers, allow_package_managers),
        };
        Networking::Limited {
            allowed_hosts: allowed_hosts.unwrap_or(stored_hosts),
            allow_mcp_servers: allow_mcp_servers.unwrap_or(stored_mcp),
            allow_package_managers: allow_package_managers.unwrap_or(stored_managers),
        }
    }
}

impl PackagesParams {
    fn decode(at: At<'_>) -> Result<Self, Invalid> {
        let mut fields = at.fields()?;
        fields.nullable("type", |at| at.word(&[("packages", ())]))?;
        let packages = Self {
            apt: package_list(&mut fields, "apt")?,
            cargo: package_list(&mut fields, "cargo")?,
            gem: package_list(&mut fields, "gem")?,
            go: package_list(&mut fields, "go")?,
            npm: package_list(&mut fields, "npm")?,
            pip: package_list(&mut fields, "pip")?,
        };
        fields.finish()?;
        Ok(packages)
    }

    fn merge(self, stored: Packages) -> Packages {
        Packages {
            kind: PackagesType::Packages,
            apt: self.apt.unwrap_or(stored.apt),
            cargo: self.cargo.unwrap_or(stored.cargo),
            gem: self.gem.unwrap_or(stored.gem),
            go: self.go.unwrap_or(stored.go),
            npm: self.npm.unwrap_or(stored.npm),
            pip: self.pip.unwrap_or(stored.pip),
        }
    }
}

/// Null keeps, like absence: it means the default on create, and the default is an empty list.
fn package_list(
    fields: &mut Fields<'_>,
    key: &'static str,
) -> Result<Option<Vec<String>>, Invalid> {
    fields.nullable(key, |at| {
        at.list(0..=ENVIRONMENT_PACKAGES_MAX, |at| {
            let package = at.text(ENVIRONMENT_PACKAGE_CHARS)?;
            // It becomes one quoted word of a command. An option of the manager would change what the
            // command does, and what means something to a shell is no part of any package's name.
            let is_odd = |character: char| {
                character.is_whitespace()
                    || character.is_control()
                    || r#";|`$\"'"#.contains(character)
            };
            if package.starts_with('-') || package.contains(is_odd) {
                return Err(at.invalid(
                    "Input should be one package as its manager names it, without blanks, options \
                     or characters of a shell",
                ));
            }
            Ok(package)
        })
    })
}
