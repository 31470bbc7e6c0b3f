//! The versions of skills that a session was made with. They stay for as long as the session is
//! there, also when the skill is deleted: its sandbox may have to be made again.

use std::collections::{HashMap, HashSet};

use futures::TryStreamExt;
use hostler_protocol::agent::WantedSkill;
use hostler_protocol::id::{SessionId, SkillVersionId, WorkspaceId};
use hostler_protocol::limits::{SESSION_SKILL_BYTES_MAX, SESSION_SKILL_FILES_MAX};

use crate::blobs::verified;
use crate::db::Tx;
use crate::files::add_stored_bytes;
use crate::sessions::NewSession;
use crate::skills::{SkillFileEntry, blob_name, find_version};
use crate::{Store, StoreError};

/// Where skills are in a sandbox, below `/`.
const SKILLS_PLACE: &str = "workspace/skills";

/// A skill of a session, for whoever acts for the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSkill {
    pub version_id: SkillVersionId,
    pub name: String,
    pub description: String,
    pub files: Vec<SkillFileEntry>,
}

const INSERT: &str = "\
    insert into session_skills (session_id, position, version_id) values ($1, $2, $3)";

const LIVE: &str = "\
    select name, files from skill_versions \
    where workspace_id = $1 and id = $2 and deleted_at is null";

const OF_SESSION: &str = "\
    select v.id, v.name, v.description, v.files from session_skills s \
    join skill_versions v on v.id = s.version_id where s.session_id = $1 order by s.position";

const ANY: &str = "select 1 from session_skills where session_id = $1 limit 1";

const SUM: &str = "select sha256 from skill_versions where id = $1";

const DELETE_OF_SESSION: &str = "delete from session_skills where session_id = $1";

const PURGE: &str = "\
    delete from skill_versions where deleted_at is not null \
    and not exists (select 1 from session_skills s where s.version_id = skill_versions.id) \
    returning id, workspace_id, size_bytes";

impl Store {
    /// In the order of the agent's list.
    pub async fn session_skills(
        &self,
        session: SessionId,
    ) -> Result<Vec<SessionSkill>, StoreError> {
        self.db
            .read(move |tx| {
                tx.all(OF_SESSION, &[&session.to_string()], |row| {
                    Ok(SessionSkill {
                        version_id: row.id(0)?,
                        name: row.text(1)?,
                        description: row.text(2)?,
                        files: row.json(3)?,
                    })
                })
            })
            .await
    }

    /// Those of `wanted` that exist.
    pub async fn skills_wanted(
        &self,
        workspace: WorkspaceId,
        wanted: Vec<WantedSkill>,
    ) -> Result<Vec<(WantedSkill, SkillVersionId)>, StoreError> {
        self.db
            .read(move |tx| find_skills(tx, workspace, &wanted))
            .await
    }

    /// The archive of a version, whole: they are small. `None`: it is gone, and with it its session.
    pub async fn skill_archive(&self, id: SkillVersionId) -> Result<Option<Vec<u8>>, StoreError> {
        let sum = move |tx: &Tx<'_>| tx.one(SUM, &[&id.to_string()], |row| row.text(0));
        let sum: Option<String> = self.db.read(sum).await?;
        let Some(sum) = sum else {
            return Ok(None);
        };
        let chunks = self.blobs.read(&blob_name(id)).await?;
        let chunks = chunks.ok_or_else(|| StoreError::Corrupt {
            what: format!("the bytes of {id} are missing"),
        })?;
        let append = |mut all: Vec<u8>, chunk: bytes::Bytes| async move {
            all.extend_from_slice(&chunk);
            Ok(all)
        };
        let archive = verified(chunks, sum).try_fold(Vec::new(), append).await?;
        Ok(Some(archive))
    }
}

/// Why a session can't have a skill of its agent; the number says which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkillRefusal {
    /// It was deleted.
    Gone(usize),
    /// It has the name of an earlier one, and so its place.
    SameName(usize),
    /// With those before it, there are too many files or bytes.
    TooLarge(usize),
    /// A file or a repository is to be where skills are.
    PlaceTaken,
}

/// Those of `wanted` that exist.
pub(crate) fn find_skills(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    wanted: &[WantedSkill],
) -> Result<Vec<(WantedSkill, SkillVersionId)>, StoreError> {
    let mut found = Vec::with_capacity(wanted.len());
    for skill in wanted {
        if let Some(version) = find_version(tx, workspace, skill.skill_id, skill.version)? {
            found.push((*skill, version.version.id));
        }
    }
    Ok(found)
}

/// The versions for a new session. Looked for before anything is written, so that a refusal needs no
/// rolling back.
pub(crate) fn check_session_skills(
    tx: &Tx<'_>,
    new: &NewSession,
) -> Result<Result<Vec<SkillVersionId>, SkillRefusal>, StoreError> {
    let skills = &new.agent.skills;
    let mut versions = Vec::with_capacity(skills.len());
    let mut names = HashSet::new();
    let (mut files, mut bytes) = (0, 0);
    for (position, skill) in skills.iter().enumerate() {
        let Some(version) = skill.version_id() else {
            return Ok(Err(SkillRefusal::Gone(position)));
        };
        let key = [new.workspace_id.to_string(), version.to_string()];
        let found: Option<(String, Vec<SkillFileEntry>)> =
            tx.one(LIVE, &[&key[0], &key[1]], |row| {
                Ok((row.text(0)?, row.json(1)?))
            })?;
        let Some((name, entries)) = found else {
            return Ok(Err(SkillRefusal::Gone(position)));
        };
        if !names.insert(name) {
            return Ok(Err(SkillRefusal::SameName(position)));
        }
        files += entries.len();
        bytes += entries.iter().map(|entry| entry.size).sum::<u64>();
        if files > SESSION_SKILL_FILES_MAX || bytes > SESSION_SKILL_BYTES_MAX {
            return Ok(Err(SkillRefusal::TooLarge(position)));
        }
        versions.push(version);
    }
    let mut repositories = new.repositories.iter();
    let has_place = |path: &str| path == SKILLS_PLACE || is_below_skills(path);
    let by_repository = repositories.any(|repository| {
        let path = repository.wish.mount_path.relative();
        has_place(&format!("workspace/{path}"))
    });
    let mut mounts = new.mounts.iter();
    let by_file = mounts.any(|mount| is_in_the_way(mount.mount_path.relative()));
    if !versions.is_empty() && (by_repository || by_file) {
        return Ok(Err(SkillRefusal::PlaceTaken));
    }
    Ok(Ok(versions))
}

/// Whether a file that is mounted there would be where a session's skills are.
pub(crate) fn is_in_the_way(mount: &str) -> bool {
    mount == "workspace" || mount == SKILLS_PLACE || is_below_skills(mount)
}

fn is_below_skills(path: &str) -> bool {
    path.strip_prefix(SKILLS_PLACE)
        .is_some_and(|rest| rest.starts_with('/'))
}

/// They were checked in the same transaction.
pub(crate) fn insert_session_skills(
    tx: &Tx<'_>,
    session: SessionId,
    versions: &[SkillVersionId],
) -> Result<(), StoreError> {
    for (position, version) in (0_i64..).zip(versions) {
        let key = [session.to_string(), version.to_string()];
        tx.execute(INSERT, &[&key[0], &position, &key[1]])?;
    }
    Ok(())
}

/// Whether the session has any.
pub(crate) fn has_skills(tx: &Tx<'_>, session: SessionId) -> Result<bool, StoreError> {
    let found = tx.one(ANY, &[&session.to_string()], |row| row.integer(0))?;
    Ok(found.is_some())
}

/// With its session.
pub(crate) fn delete_session_skills(tx: &Tx<'_>, session: SessionId) -> Result<(), StoreError> {
    tx.execute(DELETE_OF_SESSION, &[&session.to_string()])?;
    Ok(())
}

/// Takes away the rows of deleted versions that no session has, and answers whose blobs are to be
/// deleted after the commit.
pub(crate) fn purge_deleted(tx: &Tx<'_>) -> Result<Vec<SkillVersionId>, StoreError> {
    let purged: Vec<(SkillVersionId, WorkspaceId, i64)> = tx.all(PURGE, &[], |row| {
        Ok((row.id(0)?, row.id(1)?, row.integer(2)?))
    })?;
    let mut sizes: HashMap<WorkspaceId, i64> = HashMap::new();
    for (_, workspace, size) in &purged {
        *sizes.entry(*workspace).or_default() += size;
    }
    for (workspace, size) in sizes {
        add_stored_bytes(tx, workspace, -size)?;
    }
    Ok(purged.into_iter().map(|(id, _, _)| id).collect())
}
