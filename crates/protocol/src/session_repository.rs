//! Git repositories as resources of a session: what one is on the wire, and what a client may ask
//! for. Which hosts a server permits is its operator's list; nothing here fetches anything.
//!
//! **Rule:** the text of a URL is read once, into [`RepositoryUrl`]; nobody else takes one apart.

mod checkout;
mod url;

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

pub use self::checkout::Checkout;
pub use self::url::{RepositoryHost, RepositoryHosts, RepositoryUrl};
use crate::Timestamp;
use crate::decode::{At, Fields, Invalid};
use crate::id::ResourceId;
use crate::secret::SecretText;
use crate::session_resource::MountPath;

/// Where the working directory of a session is, and its repositories are below.
pub const WORKSPACE: &str = "/workspace";

/// A repository that is cloned for a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct RepositoryResource {
    pub id: ResourceId,
    #[serde(rename = "type")]
    pub kind: RepositoryResourceType,
    #[schema(value_type = String)]
    pub url: RepositoryUrl,
    /// Where it is: below `/workspace`.
    #[schema(value_type = String)]
    pub mount_path: RepositoryPath,
    /// Null: the default branch.
    pub checkout: Option<Checkout>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepositoryResourceType {
    #[default]
    GithubRepository,
}

/// A place below [`WORKSPACE`]: plain names joined by slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryPath(MountPath);

impl RepositoryPath {
    /// Reads what a client asked for, which is what an answer says.
    ///
    /// # Errors
    /// A sentence for whoever sent it.
    pub fn parse(given: &str) -> Result<Self, String> {
        let outside = || "Input should be an absolute path below /workspace".to_owned();
        let below = given.strip_prefix(WORKSPACE).ok_or_else(outside)?;
        let below = below.strip_prefix('/').ok_or_else(outside)?;
        let path: MountPath = below.parse().map_err(|error| format!("{error}"))?;
        // What git keeps there would be taken for the repository's own.
        let is_git = |name: &str| name.eq_ignore_ascii_case(".git");
        if path.relative().split('/').any(is_git) {
            return Err("Input should have no directory named .git".to_owned());
        }
        Ok(Self(path))
    }

    /// Below [`WORKSPACE`].
    pub fn relative(&self) -> &str {
        self.0.relative()
    }

    /// As a mount path of a file would be that was asked for at the same place.
    pub fn among_mounts(&self) -> Option<MountPath> {
        MountPath::rooted(&self.to_string()).ok()
    }

    /// Whether a file there would be in the repository, or the repository in it.
    pub fn collides_with_file(&self, file: &MountPath) -> bool {
        self.among_mounts()
            .is_none_or(|place| place.collides_with(file))
    }

    pub fn collides_with(&self, other: &Self) -> bool {
        self.0.collides_with(&other.0)
    }
}

impl fmt::Display for RepositoryPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{WORKSPACE}/{}", self.relative())
    }
}

/// Reads what [`RepositoryPath::to_string`] gave.
impl std::str::FromStr for RepositoryPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

impl Serialize for RepositoryPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The wish to have a repository in a new session.
#[derive(Debug, Clone)]
pub struct MountRepository {
    pub url: RepositoryUrl,
    pub mount_path: RepositoryPath,
    pub checkout: Option<Checkout>,
    /// What its server is shown outside of the sandbox.
    pub authorization_token: Option<SecretText>,
}

/// `POST /v1/sessions/{id}/resources/{id}`: another token for a repository.
#[derive(Debug, Clone)]
pub struct UpdateRepository {
    pub authorization_token: SecretText,
}

impl UpdateRepository {
    pub fn decode(body: &Value) -> Result<Self, Invalid> {
        let mut fields = At::root(body).fields()?;
        let authorization_token = fields.required("authorization_token", SecretText::decode)?;
        fields.finish()?;
        Ok(Self {
            authorization_token,
        })
    }
}

impl MountRepository {
    /// The rest of an object whose `type` has been read.
    pub(crate) fn decode(fields: &mut Fields<'_>) -> Result<Self, Invalid> {
        let authorization_token = fields.nullable("authorization_token", SecretText::decode)?;
        let url = fields.required("url", |at| {
            RepositoryUrl::parse(text(&at)?).map_err(|message| at.invalid(message))
        })?;
        let mount_path = fields.nullable("mount_path", |at| {
            RepositoryPath::parse(text(&at)?).map_err(|message| at.invalid(message))
        })?;
        let checkout = fields.nullable("checkout", Checkout::decode)?;
        let mount_path = match mount_path {
            Some(mount_path) => mount_path,
            None => {
                let default = format!("{WORKSPACE}/{}", url.repository_name());
                let at = &fields.at().path;
                RepositoryPath::parse(&default).map_err(|_| {
                    let message = "the name of this repository can't be its directory";
                    Invalid::new(format!("{at}.mount_path"), message)
                })?
            }
        };
        Ok(Self {
            url,
            mount_path,
            checkout,
            authorization_token,
        })
    }
}

fn text<'a>(at: &At<'a>) -> Result<&'a str, Invalid> {
    let value: &'a Value = at.value;
    value
        .as_str()
        .ok_or_else(|| at.invalid("Input should be a valid string"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_resource::{MountResource, decode_resources};
    use serde_json::json;

    fn refusal(mut repository: Value) -> Invalid {
        repository["type"] = json!("github_repository");
        decode_resources(&At::root(&json!([repository]))).unwrap_err()
    }

    #[test]
    fn a_repository_is_read_with_its_defaults() {
        let list = json!([{"type": "github_repository", "url": "https://github.com/owner/tool"}]);
        let read = decode_resources(&At::root(&list)).unwrap();
        let [MountResource::Repository(repository)] = read.as_slice() else {
            panic!("{read:?}");
        };
        assert_eq!(repository.mount_path.to_string(), "/workspace/tool");
        assert_eq!(repository.url.to_string(), "https://github.com/owner/tool");
        assert_eq!(repository.checkout, None);
    }

    #[test]
    fn paths_are_below_the_workspace() {
        for good in [
            "/workspace/a",
            "/workspace/a/b c",
            "/workspace/-x",
            "/workspace/.github",
        ] {
            assert_eq!(RepositoryPath::parse(good).unwrap().to_string(), good);
        }
        let long = format!("/workspace/{}", "n".repeat(256));
        for bad in [
            "",
            "a",
            "/",
            "/workspace",
            "/workspace/",
            "/workspaces/a",
            "/workspace/a/",
            "/workspace//a",
            "/workspace/../etc",
            "/workspace/a/./b",
            "/workspace/.git",
            "/workspace/a/.GIT/b",
            "/workspace/a\nb",
            "/etc/a",
            &long,
        ] {
            assert!(RepositoryPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn refusals_name_the_field_and_never_repeat_a_token() {
        let url = "https://github.com/a/b";
        for (repository, place) in [
            (json!({}), "0.url"),
            (json!({"url": 1}), "0.url"),
            (json!({"url": "http//x"}), "0.url"),
            (json!({"url": url, "mount_path": "/etc"}), "0.mount_path"),
            (json!({"url": url, "mount_path": 1}), "0.mount_path"),
            (json!({"url": url, "checkout": "main"}), "0.checkout"),
            (json!({"url": url, "branch": "main"}), "0.branch"),
        ] {
            assert_eq!(refusal(repository).path, place);
        }
        for token in [json!("ghp_secret\nx: y"), json!(""), json!(["ghp_secret"])] {
            let refused = refusal(json!({"url": url, "authorization_token": token}));
            assert_eq!(refused.path, "0.authorization_token");
            assert!(!refused.to_string().contains("ghp_secret"));
        }
        let update = UpdateRepository::decode(&json!({})).unwrap_err();
        assert_eq!(update.path, "authorization_token");
    }
}
