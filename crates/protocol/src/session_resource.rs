//! What is mounted into a session: files, and repositories (`session_repository.rs`). Memory stores
//! are refused by name.
//!
//! **Rule:** a mount path is read once, into [`MountPath`]; nobody else looks at the text of one.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::Timestamp;
use crate::decode::{At, Fields, Invalid};
use crate::id::{FileId, ResourceId};
use crate::limits::{
    MOUNT_PATH_BYTES_MAX, MOUNT_PATH_NAME_BYTES_MAX, MOUNT_PATH_NAMES_MAX, SESSION_FILES_MAX,
    SESSION_REPOSITORIES_MAX,
};
use crate::session_repository::{MountRepository, RepositoryResource};

/// Where the files of a session are found by its tools.
pub const UPLOADS: &str = "/mnt/session/uploads";
const TYPES: &[&str] = &["file", "github_repository", "memory_store"];

/// A resource of a session, as every operation on one answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SessionResource {
    File(FileResource),
    Repository(RepositoryResource),
}

impl SessionResource {
    pub fn id(&self) -> ResourceId {
        match self {
            Self::File(file) => file.id,
            Self::Repository(repository) => repository.id,
        }
    }

    pub fn created_at(&self) -> Timestamp {
        match self {
            Self::File(file) => file.created_at,
            Self::Repository(repository) => repository.created_at,
        }
    }
}

/// A mounted file, as every operation on one answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FileResource {
    pub id: ResourceId,
    #[serde(rename = "type")]
    pub kind: FileResourceType,
    /// The session's own copy, not the file that was named.
    pub file_id: FileId,
    /// Where it is: below `/mnt/session/uploads`.
    pub mount_path: MountPath,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileResourceType {
    #[default]
    File,
}

/// What is left of a removed resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeletedResource {
    pub id: ResourceId,
    /// Always `session_resource_deleted`.
    #[serde(rename = "type")]
    pub kind: &'static str,
}

/// A place below [`UPLOADS`]: plain names joined by slashes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountPath(String);

/// Why a text is no mount path, in words for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMountPath(String);

impl MountPath {
    /// The path of a file for which none was asked.
    pub fn of_file(file: FileId) -> Self {
        Self(file.to_string())
    }

    /// Reads what a client asked for: an absolute path, which is rooted below [`UPLOADS`]. One that
    /// is there already stays where it is.
    ///
    /// # Errors
    /// For a path that isn't absolute, isn't plain, is too long, or would be beside the uploads.
    pub fn rooted(given: &str) -> Result<Self, InvalidMountPath> {
        let refuse = |message: &str| Err(InvalidMountPath(message.to_owned()));
        let Some(below_root) = given.strip_prefix('/') else {
            return refuse("Input should be an absolute path");
        };
        match given.strip_prefix(UPLOADS) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                rest.strip_prefix('/').unwrap_or_default().parse()
            }
            Some(_) | None => match below_root.strip_prefix("mnt/session") {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    refuse("below /mnt/session, files can only be mounted in /mnt/session/uploads")
                }
                Some(_) | None => below_root.parse(),
            },
        }
    }

    /// Below [`UPLOADS`].
    pub fn relative(&self) -> &str {
        &self.0
    }

    /// Whether both can't be files: they are the same, or one would be a directory of the other.
    pub fn collides_with(&self, other: &Self) -> bool {
        let is_within = |inner: &Self, outer: &Self| {
            let rest = inner.0.strip_prefix(&outer.0);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        is_within(self, other) || is_within(other, self)
    }
}

/// Reads what [`MountPath::relative`] gave.
impl FromStr for MountPath {
    type Err = InvalidMountPath;

    fn from_str(text: &str) -> Result<Self, InvalidMountPath> {
        let refuse = |message: String| Err(InvalidMountPath(message));
        if text.is_empty() {
            return refuse("Input should name a file".to_owned());
        }
        if text.split('/').any(|name| matches!(name, "" | "." | "..")) {
            return refuse("Input should be a path without empty names, '.' and '..'".to_owned());
        }
        if text.contains(char::is_control) {
            return refuse("Input should have no control characters".to_owned());
        }
        let names = text.split('/').count();
        let longest = text.split('/').map(str::len).max().unwrap_or_default();
        if text.len() > MOUNT_PATH_BYTES_MAX
            || names > MOUNT_PATH_NAMES_MAX
            || longest > MOUNT_PATH_NAME_BYTES_MAX
        {
            return refuse(format!(
                "Input should have at most {MOUNT_PATH_BYTES_MAX} bytes in at most \
                 {MOUNT_PATH_NAMES_MAX} names of at most {MOUNT_PATH_NAME_BYTES_MAX}"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for MountPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{UPLOADS}/{}", self.0)
    }
}

impl Serialize for MountPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl utoipa::PartialSchema for MountPath {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        String::schema()
    }
}

impl ToSchema for MountPath {}

/// The wish to mount a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountFile {
    pub file_id: FileId,
    pub mount_path: MountPath,
}

/// The wish for any resource.
#[derive(Debug, Clone)]
pub enum MountResource {
    File(MountFile),
    Repository(MountRepository),
}

impl MountResource {
    fn collides_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one.mount_path.collides_with(&other.mount_path),
            (Self::Repository(one), Self::Repository(other)) => {
                one.mount_path.collides_with(&other.mount_path)
            }
            (Self::File(file), Self::Repository(repository))
            | (Self::Repository(repository), Self::File(file)) => {
                repository.mount_path.collides_with_file(&file.mount_path)
            }
        }
    }
}

impl MountFile {
    /// `POST /v1/sessions/{id}/resources`.
    pub fn decode(body: &Value) -> Result<Self, Invalid> {
        match decode_resource(At::root(body))? {
            MountResource::File(file) => Ok(file),
            MountResource::Repository(_) => Err(Invalid::new(
                "type",
                "a repository can only be given when the session is made; Input should be 'file'",
            )),
        }
    }
}

/// `resources` of a new session.
pub(crate) fn decode_resources(at: &At<'_>) -> Result<Vec<MountResource>, Invalid> {
    let resources = at.list(0..=SESSION_FILES_MAX, decode_resource)?;
    let mut repositories = 0;
    for (position, resource) in resources.iter().enumerate() {
        if matches!(resource, MountResource::Repository(_)) {
            repositories += 1;
        }
        if repositories > SESSION_REPOSITORIES_MAX {
            return Err(at.invalid(format!(
                "a session can have at most {SESSION_REPOSITORIES_MAX} repositories"
            )));
        }
        let earlier = &resources[..position];
        if earlier.iter().any(|other| other.collides_with(resource)) {
            return Err(path_taken(&format!("{}.{position}.", at.path)));
        }
    }
    Ok(resources)
}

/// The refusal of a path where something is mounted; `prefix` is the resource's own.
pub fn path_taken(prefix: &str) -> Invalid {
    let message = "another resource of this session is mounted there, above or below";
    Invalid::new(format!("{prefix}mount_path"), message)
}

fn decode_resource(at: At<'_>) -> Result<MountResource, Invalid> {
    let path = at.path.clone();
    let mut fields = at.fields()?;
    let resource = match fields.tag()? {
        "file" => MountResource::File(decode_file(&mut fields)?),
        "github_repository" => MountResource::Repository(MountRepository::decode(&mut fields)?),
        "memory_store" => return Err(Invalid::unsupported(path, "a memory store resource")),
        other => return Err(fields.unknown_tag(other, TYPES)),
    };
    fields.finish()?;
    Ok(resource)
}

/// The rest of an object whose `type` has been read.
fn decode_file(fields: &mut Fields<'_>) -> Result<MountFile, Invalid> {
    let file_id = fields.required("file_id", |at| at.id())?;
    let mount_path = fields.nullable("mount_path", |at| {
        let given = at
            .value
            .as_str()
            .ok_or_else(|| at.invalid("Input should be a valid string"))?;
        MountPath::rooted(given).map_err(|error| at.invalid(error.to_string()))
    })?;
    Ok(MountFile {
        file_id,
        mount_path: mount_path.unwrap_or_else(|| MountPath::of_file(file_id)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FILE: &str = "file_011111111111111111111111";

    fn rooted(given: &str) -> Result<String, String> {
        let path = MountPath::rooted(given).map_err(|error| error.to_string());
        path.map(|path| path.to_string())
    }

    #[test]
    fn paths_are_rooted_below_the_uploads() {
        for (given, place) in [
            ("/data.csv", "/mnt/session/uploads/data.csv"),
            ("/mnt/session/uploads/a/b", "/mnt/session/uploads/a/b"),
            ("/mnt/user-data/a", "/mnt/session/uploads/mnt/user-data/a"),
            ("/mnt/sessions/a", "/mnt/session/uploads/mnt/sessions/a"),
            ("/etc/übung 1", "/mnt/session/uploads/etc/übung 1"),
        ] {
            assert_eq!(rooted(given).as_deref(), Ok(place));
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_refused() {
        let long = format!("/{}", "n".repeat(256));
        let deep = "/a".repeat(33);
        for given in [
            "",
            "data.csv",
            "/",
            "//data",
            "/a/../b",
            "/./a",
            "/a/",
            "/mnt/session/outputs/a",
            "/mnt/session",
            "/mnt/session/uploads",
            "/mnt/session/uploads/",
            "/mnt/session/uploads/../outputs/a",
            "/a\nb",
            "/a\0b",
            &long,
            &deep,
        ] {
            assert!(rooted(given).is_err(), "{given:?}");
        }
    }

    #[test]
    fn a_file_is_no_directory_of_another() {
        let path = |text: &str| text.parse::<MountPath>().unwrap();
        assert!(path("a").collides_with(&path("a")));
        assert!(path("a/b").collides_with(&path("a")));
        assert!(path("a").collides_with(&path("a/b/c")));
        assert!(!path("a").collides_with(&path("ab")));
        assert!(!path("a/b").collides_with(&path("a/c")));
    }

    #[test]
    fn refusals_name_the_place() {
        let file = |path: &str| json!({"type": "file", "file_id": FILE, "mount_path": path});
        let refusal = |list: Value| decode_resources(&At::root(&list)).unwrap_err();
        for (list, place) in [
            (json!([{"type": "file"}]), "0.file_id"),
            (json!([{"type": "file", "file_id": "x"}]), "0.file_id"),
            (json!([file("/a"), file("b")]), "1.mount_path"),
            (json!([{"type": "directory"}]), "0.type"),
            (json!([{"type": "file", "file_id": FILE, "x": 1}]), "0.x"),
        ] {
            assert_eq!(refusal(list).path, place);
        }
        let twice = refusal(json!([file("/a"), file("/mnt/session/uploads/a")]));
        assert!(twice.path.ends_with("1.mount_path"), "{twice}");
        let later = refusal(json!([{"type": "memory_store", "memory_store_id": "x"}]));
        assert_eq!(
            (later.path.as_str(), later.code),
            ("0", Some("feature_not_supported"))
        );
        let repository = json!({"type": "github_repository", "url": "https://github.com/a/b"});
        let added = MountFile::decode(&repository).unwrap_err();
        assert_eq!(added.path, "type");
        let many: Vec<Value> = (0..=SESSION_REPOSITORIES_MAX)
            .map(|n| {
                let mut repository = repository.clone();
                repository["mount_path"] = json!(format!("/workspace/{n}"));
                repository
            })
            .collect();
        assert!(refusal(json!(many)).message.contains("at most 20"));
        for other in [
            json!({"type": "github_repository", "url": "https://github.com/c/b"}),
            file("/workspace/b"),
            file("/workspace/b/data.csv"),
            file("/workspace"),
            file("/mnt/session/uploads/workspace/b/x"),
        ] {
            for list in [json!([repository, other]), json!([other, repository])] {
                assert!(refusal(list).path.ends_with("1.mount_path"));
            }
        }
        let beside = json!([repository, file("/workspace/bb"), file("/b")]);
        assert!(decode_resources(&At::root(&beside)).is_ok());
        let default = MountFile::decode(&json!({"type": "file", "file_id": FILE})).unwrap();
        assert_eq!(default.mount_path.relative(), FILE);
    }
}
