//! Skills and their versions: rows with what is known, and a blob with the archive of each version.
//!
//! A version never changes. One that is deleted is gone for clients at once, and its bytes when no
//! session has it any more (`session_skills.rs`).

use hostler_protocol::Timestamp;
use hostler_protocol::id::{SkillId, SkillVersionId, WorkspaceId};
use hostler_protocol::skill::{
    SkillResource, SkillResourceType, SkillSource, SkillVersion, SkillVersionType, VersionWanted,
};
use object_store::path::Path;
use serde::{Deserialize, Serialize};

use crate::blobs::{BlobStream, verified};
use crate::db::Tx;
use crate::files::{add_stored_bytes, stored_bytes};
use crate::log::json;
use crate::page::PageRange;
use crate::row::Row;
use crate::session_skills::purge_deleted;
use crate::{Store, StoreError};

/// A file of a version, without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkillFileEntry {
    pub path: String,
    pub size: u64,
    pub executable: bool,
}

/// A version to be made, and its archive.
#[derive(Debug, Clone)]
pub struct NewSkillVersion {
    pub id: SkillVersionId,
    pub skill_id: SkillId,
    pub name: String,
    pub description: String,
    pub files: Vec<SkillFileEntry>,
    pub archive: Vec<u8>,
    pub at: Timestamp,
    /// Bytes that the workspace may hold in all.
    pub quota_bytes: u64,
    /// Versions that the skill may have in all.
    pub versions_max: u32,
}

/// What became of a new skill, or of a new version of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkillCreated<T> {
    Created(T),
    QuotaExceeded,
    NoSuchSkill,
    /// This one included.
    TooManyVersions,
    /// All versions have the name of the first.
    HasName(String),
}

/// What became of the wish to delete a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionDeleted {
    Deleted,
    NoSuchVersion,
    /// A skill has one at least.
    IsTheLast,
}

const CREATE: &str = "\
    insert into skills (id, workspace_id, display_name, name, latest_version_id, created_at, \
    updated_at) values ($1, $2, $3, $4, $5, $6, $6)";

const CREATE_VERSION: &str = "\
    insert into skill_versions (id, workspace_id, skill_id, name, description, files, size_bytes, \
    sha256, created_at, deleted_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, null)";

const SET_LATEST: &str = "\
    update skills set updated_at = $3, latest_version_id = (select v.id from skill_versions v \
    where v.skill_id = skills.id and v.deleted_at is null \
    order by v.created_at desc, v.id desc limit 1) where workspace_id = $1 and id = $2";

const FIND: &str = "\
    select id, display_name, latest_version_id, created_at, updated_at, name from skills \
    where workspace_id = $1 and id = $2";

const LIST: &str = "\
    select id, display_name, latest_version_id, created_at, updated_at, name from skills \
    where workspace_id = $1 and (created_at, id) < ($2, $3) \
    order by created_at desc, id desc limit $4";

const DELETE: &str = "delete from skills where workspace_id = $1 and id = $2";

const DELETE_VERSIONS: &str = "\
    update skill_versions set deleted_at = $3 \
    where workspace_id = $1 and skill_id = $2 and deleted_at is null";

const DELETE_VERSION: &str = "\
    update skill_versions set deleted_at = $4 \
    where workspace_id = $1 and skill_id = $2 and id = $3 and deleted_at is null";

const VERSIONS_LEFT: &str = "\
    select count(*) from skill_versions where workspace_id = $1 and skill_id = $2 \
    and deleted_at is null";

const FIND_VERSION: &str = "\
    select id, skill_id, name, description, created_at, size_bytes, sha256 from skill_versions \
    where workspace_id = $1 and skill_id = $2 and id = $3 and deleted_at is null";

const LATEST_VERSION: &str = "\
    select v.id, v.skill_id, v.name, v.description, v.created_at, v.size_bytes, v.sha256 \
    from skills s join skill_versions v on v.id = s.latest_version_id \
    where s.workspace_id = $1 and s.id = $2";

const VERSIONS: &str = "\
    select id, skill_id, name, description, created_at, size_bytes, sha256 from skill_versions \
    where workspace_id = $1 and skill_id = $2 and deleted_at is null \
    and (created_at, id) < ($3, $4) order by created_at desc, id desc limit $5";

pub(crate) const EXISTS: &str = "select id from skill_versions where id = $1";

pub(crate) const FOLDER: &str = "skills";

pub(crate) fn blob_name(id: SkillVersionId) -> Path {
    Path::from_iter([FOLDER, &id.to_string()])
}

impl Store {
    /// Makes a skill with its first version. The outcome is `Created` or `QuotaExceeded`.
    pub async fn create_skill(
        &self,
        workspace: WorkspaceId,
        display_name: String,
        first: NewSkillVersion,
    ) -> Result<SkillCreated<SkillResource>, StoreError> {
        let (id, at) = (first.skill_id, first.at);
        self.add_version(first, move |tx, first, size, sha256| {
            if !has_room(tx, workspace, first, size)? {
                return Ok(SkillCreated::QuotaExceeded);
            }
            insert_version(tx, workspace, first, size, sha256)?;
            tx.execute(
                CREATE,
                &[
                    &id.to_string(),
                    &workspace.to_string(),
                    &display_name,
                    &first.name,
                    &first.id.to_string(),
                    &at.as_micros(),
                ],
            )?;
            let found = find(tx, workspace, id)?.ok_or_else(just_made)?;
            Ok(SkillCreated::Created(found.0))
        })
        .await
    }

    /// Makes the next version of a skill.
    pub async fn create_skill_version(
        &self,
        workspace: WorkspaceId,
        new: NewSkillVersion,
    ) -> Result<SkillCreated<SkillVersion>, StoreError> {
        self.add_version(new, move |tx, new, size, sha256| {
            let Some((_, name)) = find(tx, workspace, new.skill_id)? else {
                return Ok(SkillCreated::NoSuchSkill);
            };
            if name != new.name {
                return Ok(SkillCreated::HasName(name));
            }
            let key = [workspace.to_string(), new.skill_id.to_string()];
            let left = tx.one(VERSIONS_LEFT, &[&key[0], &key[1]], |row| row.integer(0))?;
            if left.unwrap_or(0) >= i64::from(new.versions_max) {
                return Ok(SkillCreated::TooManyVersions);
            }
            if !has_room(tx, workspace, new, size)? {
                return Ok(SkillCreated::QuotaExceeded);
            }
            insert_version(tx, workspace, new, size, sha256)?;
            tx.execute(SET_LATEST, &[&key[0], &key[1], &new.at.as_micros()])?;
            let wanted = VersionWanted::Exactly(new.id);
            let found = find_version(tx, workspace, new.skill_id, wanted)?;
            Ok(SkillCreated::Created(found.ok_or_else(just_made)?.version))
        })
        .await
    }

    /// The bytes are on disk before the row is.
    async fn add_version<T: Send + 'static>(
        &self,
        mut new: NewSkillVersion,
        insert: impl FnOnce(&Tx<'_>, &NewSkillVersion, u64, &str) -> Result<SkillCreated<T>, StoreError>
        + Send
        + 'static,
    ) -> Result<SkillCreated<T>, StoreError> {
        let mut upload = self.blobs.begin(blob_name(new.id));
        upload.write(&std::mem::take(&mut new.archive)).await?;
        let blob = upload.finish().await?;
        let name = blob.name.clone();
        let created = self
            .db
            .write(move |tx| insert(tx, &new, blob.size, &blob.sha256));
        let created: Result<SkillCreated<T>, StoreError> = created.await;
        // After an error the row may be there: then a sweep decides.
        let created = created?;
        if !matches!(created, SkillCreated::Created(_)) {
            self.blobs.delete(&name).await?;
        }
        Ok(created)
    }

    pub async fn skill(
        &self,
        workspace: WorkspaceId,
        id: SkillId,
    ) -> Result<Option<SkillResource>, StoreError> {
        self.db
            .read(move |tx| Ok(find(tx, workspace, id)?.map(|(skill, _)| skill)))
            .await
    }

    /// Newest first.
    pub async fn skills(
        &self,
        workspace: WorkspaceId,
        range: PageRange,
    ) -> Result<Vec<SkillResource>, StoreError> {
        self.db
            .read(move |tx| {
                let (at, id) = range.below();
                let key = workspace.to_string();
                tx.all(LIST, &[&key, &at, &id, &range.rows()], read_skill)
            })
            .await
    }

    /// Deletes a skill with all its versions, and answers whether there was one. Sessions that have a
    /// version keep it.
    pub async fn delete_skill(
        &self,
        workspace: WorkspaceId,
        id: SkillId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let delete = move |tx: &Tx<'_>| {
            let key = [workspace.to_string(), id.to_string()];
            let found = tx.execute(DELETE, &[&key[0], &key[1]])? > 0;
            tx.execute(DELETE_VERSIONS, &[&key[0], &key[1], &at.as_micros()])?;
            Ok((found, purge_deleted(tx)?))
        };
        let deleted: Result<(bool, Vec<SkillVersionId>), StoreError> = self.db.write(delete).await;
        let (found, purged) = deleted?;
        self.delete_skill_blobs(purged).await?;
        Ok(found)
    }

    pub async fn skill_version(
        &self,
        workspace: WorkspaceId,
        skill: SkillId,
        wanted: VersionWanted,
    ) -> Result<Option<SkillVersion>, StoreError> {
        let find = move |tx: &Tx<'_>| find_version(tx, workspace, skill, wanted);
        let found: Result<_, StoreError> = self.db.read(find).await;
        Ok(found?.map(|found| found.version))
    }

    /// Newest first. `None`: there is no such skill.
    pub async fn skill_versions(
        &self,
        workspace: WorkspaceId,
        skill: SkillId,
        range: PageRange,
    ) -> Result<Option<Vec<SkillVersion>>, StoreError> {
        self.db
            .read(move |tx| {
                if find(tx, workspace, skill)?.is_none() {
                    return Ok(None);
                }
                let (at, id) = range.below();
                let key = [workspace.to_string(), skill.to_string()];
                let parameters: [&dyn crate::parameter::Parameter; 5] =
                    [&key[0], &key[1], &at, &id, &range.rows()];
                let versions = tx.all(VERSIONS, &parameters, read_version)?;
                Ok(Some(
                    versions.into_iter().map(|found| found.version).collect(),
                ))
            })
            .await
    }

    /// Deletes one version. Sessions that have it keep it.
    pub async fn delete_skill_version(
        &self,
        workspace: WorkspaceId,
        skill: SkillId,
        version: SkillVersionId,
        at: Timestamp,
    ) -> Result<VersionDeleted, StoreError> {
        let delete = move |tx: &Tx<'_>| {
            let key = [workspace.to_string(), skill.to_string()];
            let wanted = VersionWanted::Exactly(version);
            if find_version(tx, workspace, skill, wanted)?.is_none() {
                return Ok((VersionDeleted::NoSuchVersion, Vec::new()));
            }
            let left = tx.one(VERSIONS_LEFT, &[&key[0], &key[1]], |row| row.integer(0))?;
            if left == Some(1) {
                return Ok((VersionDeleted::IsTheLast, Vec::new()));
            }
            let at = at.as_micros();
            tx.execute(
                DELETE_VERSION,
                &[&key[0], &key[1], &version.to_string(), &at],
            )?;
            tx.execute(SET_LATEST, &[&key[0], &key[1], &at])?;
            Ok((VersionDeleted::Deleted, purge_deleted(tx)?))
        };
        let deleted: Result<(VersionDeleted, Vec<SkillVersionId>), StoreError> =
            self.db.write(delete).await;
        let (deleted, purged) = deleted?;
        self.delete_skill_blobs(purged).await?;
        Ok(deleted)
    }

    /// The archive of a version, and its size. It ends with an error if its bytes are not those that
    /// were written.
    pub async fn skill_content(
        &self,
        workspace: WorkspaceId,
        skill: SkillId,
        wanted: VersionWanted,
    ) -> Result<Option<(SkillVersion, u64, BlobStream)>, StoreError> {
        let find = move |tx: &Tx<'_>| find_version(tx, workspace, skill, wanted);
        let found: Result<_, StoreError> = self.db.read(find).await;
        let Some(found) = found? else {
            return Ok(None);
        };
        let id = found.version.id;
        match self.blobs.read(&blob_name(id)).await? {
            Some(chunks) => {
                let chunks = verified(chunks, found.sha256);
                Ok(Some((found.version, found.size, chunks)))
            }
            // It may have been deleted between the two look-ups.
            None if self
                .skill_version(workspace, skill, wanted)
                .await?
                .is_none() =>
            {
                Ok(None)
            }
            None => Err(StoreError::Corrupt {
                what: format!("the bytes of {id} are missing"),
            }),
        }
    }

    /// After their rows are gone.
    pub(crate) async fn delete_skill_blobs(
        &self,
        versions: Vec<SkillVersionId>,
    ) -> Result<(), StoreError> {
        for version in versions {
            self.blobs.delete(&blob_name(version)).await?;
        }
        Ok(())
    }
}

fn just_made() -> StoreError {
    StoreError::Corrupt {
        what: "a skill that was just made is not there".to_owned(),
    }
}

fn has_room(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    new: &NewSkillVersion,
    size: u64,
) -> Result<bool, StoreError> {
    Ok(stored_bytes(tx, workspace)?.saturating_add(size) <= new.quota_bytes)
}

fn insert_version(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    new: &NewSkillVersion,
    size: u64,
    sha256: &str,
) -> Result<(), StoreError> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    tx.execute(
        CREATE_VERSION,
        &[
            &new.id.to_string(),
            &workspace.to_string(),
            &new.skill_id.to_string(),
            &new.name,
            &new.description,
            &json(&new.files)?,
            &size,
            &sha256,
            &new.at.as_micros(),
        ],
    )?;
    add_stored_bytes(tx, workspace, size)
}

/// With the name that all its versions have.
fn find(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: SkillId,
) -> Result<Option<(SkillResource, String)>, StoreError> {
    tx.one(FIND, &[&workspace.to_string(), &id.to_string()], |row| {
        Ok((read_skill(row)?, row.text(5)?))
    })
}

fn read_skill(row: &Row<'_>) -> Result<SkillResource, StoreError> {
    Ok(SkillResource {
        id: row.id(0)?,
        kind: SkillResourceType::Skill,
        display_name: row.text(1)?,
        latest_version_id: row.id(2)?,
        source: SkillSource::Custom,
        created_at: row.timestamp(3)?,
        updated_at: row.timestamp(4)?,
    })
}

/// A version, and what is known of its archive.
pub(crate) struct FoundVersion {
    pub(crate) version: SkillVersion,
    size: u64,
    sha256: String,
}

pub(crate) fn find_version(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    skill: SkillId,
    wanted: VersionWanted,
) -> Result<Option<FoundVersion>, StoreError> {
    let key = [workspace.to_string(), skill.to_string()];
    match wanted {
        VersionWanted::Latest => tx.one(LATEST_VERSION, &[&key[0], &key[1]], read_version),
        VersionWanted::Exactly(id) => tx.one(
            FIND_VERSION,
            &[&key[0], &key[1], &id.to_string()],
            read_version,
        ),
    }
}

fn read_version(row: &Row<'_>) -> Result<FoundVersion, StoreError> {
    Ok(FoundVersion {
        version: SkillVersion {
            id: row.id(0)?,
            kind: SkillVersionType::SkillVersion,
            skill_id: row.id(1)?,
            name: row.text(2)?,
            description: row.text(3)?,
            created_at: row.timestamp(4)?,
        },
        size: u64::try_from(row.integer(5)?).unwrap_or(0),
        sha256: row.text(6)?,
    })
}
