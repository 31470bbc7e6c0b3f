//! Files that are mounted into a session: rows of its own, whose blobs share their bytes with the
//! files that were named.
//!
//! **Invariant:** the blob of a copy is there before its row and goes after it, as with every file.
//! A copy has its row and its resource in one transaction, so neither is ever without the other.
//! **Invariant:** bytes that several files share count once to the storage, as long as one of the
//! files is there: first that which was named, and when it goes, a copy that remains.

use std::sync::atomic::Ordering;

use hostler_protocol::Timestamp;
use hostler_protocol::id::{FileId, ResourceId, SessionId, WorkspaceId};
use hostler_protocol::limits::SESSION_FILES_MAX;
use hostler_protocol::session_repository::RepositoryResource;
use hostler_protocol::session_resource::{
    FileResource, FileResourceType, MountPath, SessionResource,
};

use crate::db::Tx;
use crate::files::{blob_name, delete_row};
use crate::row::Row;
use crate::session_repositories::find_repositories;
use crate::session_skills::{has_skills, is_in_the_way};
use crate::sessions::find_session;
use crate::{ChangeError, SessionRow, Store, StoreError};

/// A file to be mounted.
#[derive(Debug, Clone)]
pub struct NewMount {
    pub id: ResourceId,
    /// The file that was named.
    pub source: FileId,
    /// The session's own.
    pub copy: FileId,
    pub mount_path: MountPath,
    pub at: Timestamp,
}

/// Why nothing was mounted. `position` counts the mounts of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountRefusal {
    NoSuchFile { position: usize },
    PathTaken { position: usize },
    TooMany,
}

/// What became of the wish to mount a file into a session that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mounted {
    Mounted(FileResource),
    Refused(MountRefusal),
}

/// What became of the wish to take one away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmounted {
    Unmounted,
    NoSuchSession,
    NoSuchResource,
    /// It is a repository, which stays as long as the session.
    Repository,
}

/// What a session's sandbox is to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub file_id: FileId,
    pub mount_path: MountPath,
    pub size_bytes: u64,
}

/// Counts the changes to the mounts of all sessions: as long as it stands still, no session's have
/// changed. Where other processes change them too, it never stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MountsGeneration(u64);

const COPY_FILE: &str = "\
    insert into files (id, workspace_id, filename, mime_type, size_bytes, sha256, downloadable, \
    scope_id, created_at, expires_at) \
    select $3, workspace_id, filename, mime_type, size_bytes, sha256, downloadable, $4, $5, null \
    from files where workspace_id = $1 and id = $2 and (expires_at is null or expires_at > $5)";

const INSERT_RESOURCE: &str = "\
    insert into session_resources \
    (id, session_id, file_id, mount_path, origin_id, is_counted, created_at, updated_at) \
    values ($1, $2, $3, $4, $5, 0, $6, $6)";

const ORIGIN: &str = "select origin_id from session_resources where file_id = $1";

const COUNT_A_COPY: &str = "\
    update session_resources set is_counted = 1 where file_id = \
    (select min(file_id) from session_resources where origin_id = $1)";

const RESOURCES: &str = "\
    select id, file_id, mount_path, created_at, updated_at from session_resources \
    where session_id = $1 order by created_at, id";

const MOUNTS: &str = "\
    select r.file_id, r.mount_path, f.size_bytes \
    from session_resources r join files f on f.id = r.file_id \
    where r.session_id = $1 order by r.mount_path";

const FILE_OF_RESOURCE: &str = "\
    select file_id from session_resources where session_id = $1 and id = $2";

const DELETE_RESOURCE_OF_FILE: &str = "\
    delete from session_resources where file_id = $1 returning origin_id, is_counted";

impl Store {
    /// Mounts a file into a session that exists, if `decide` lets it.
    ///
    /// # Errors
    /// See [`ChangeError`].
    pub async fn add_session_resource<R: Send + 'static>(
        &self,
        workspace: WorkspaceId,
        session: SessionId,
        mount: NewMount,
        decide: impl FnOnce(&SessionRow) -> Result<(), R> + Send + 'static,
    ) -> Result<Mounted, ChangeError<R>> {
        let mounts = vec![mount];
        if let Err(refusal) = self.copy_blobs(&mounts).await? {
            return Ok(Mounted::Refused(refusal));
        }
        let copies: Vec<FileId> = mounts.iter().map(|mount| mount.copy).collect();
        let add = move |tx: &Tx<'_>| {
            let (row, _) =
                find_session(tx, workspace, session)?.ok_or(ChangeError::<R>::NoSuchSession)?;
            decide(&row).map_err(ChangeError::Refused)?;
            Ok::<_, ChangeError<R>>(insert_mounts(tx, workspace, session, &mounts)?)
        };
        let added = self.db.write_and_tell(add, self.mounts_changed()).await;
        if !matches!(added, Ok(Ok(_))) {
            self.delete_blobs(copies).await?;
        }
        Ok(match added? {
            Ok(mounted) => match mounted.into_iter().next() {
                Some(resource) => Mounted::Mounted(resource),
                None => Mounted::Refused(MountRefusal::TooMany),
            },
            Err(refusal) => Mounted::Refused(refusal),
        })
    }

    /// Takes a resource away, with the session's copy of its file.
    pub async fn delete_session_resource(
        &self,
        workspace: WorkspaceId,
        session: SessionId,
        resource: ResourceId,
    ) -> Result<Unmounted, StoreError> {
        let delete = move |tx: &Tx<'_>| {
            if find_session(tx, workspace, session)?.is_none() {
                return Ok((Unmounted::NoSuchSession, None));
            }
            let key = [session.to_string(), resource.to_string()];
            let file: Option<FileId> =
                tx.one(FILE_OF_RESOURCE, &[&key[0], &key[1]], |row| row.id(0))?;
            let Some(file) = file else {
                let repositories = find_repositories(tx, session)?;
                let is_one = repositories.iter().any(|found| found.id == resource);
                let refused = match is_one {
                    true => Unmounted::Repository,
                    false => Unmounted::NoSuchResource,
                };
                return Ok((refused, None));
            };
            delete_row(tx, workspace, file)?;
            Ok::<_, StoreError>((Unmounted::Unmounted, Some(file)))
        };
        let deleted = self.db.write_and_tell(delete, self.mounts_changed()).await;
        let (unmounted, file) = deleted?;
        self.delete_blobs(Vec::from_iter(file)).await?;
        Ok(unmounted)
    }

    /// For whoever acts for the session, of any workspace.
    pub async fn session_mounts(&self, session: SessionId) -> Result<Vec<Mount>, StoreError> {
        self.db
            .read(move |tx| {
                tx.all(MOUNTS, &[&session.to_string()], |row| {
                    let size = row.integer(2)?;
                    Ok(Mount {
                        file_id: row.id(0)?,
                        mount_path: row.id(1)?,
                        size_bytes: u64::try_from(size).map_err(|_| StoreError::Corrupt {
                            what: format!("column size_bytes: {size}"),
                        })?,
                    })
                })
            })
            .await
    }

    /// Read it before the mounts: a change in between then shows as another generation.
    pub fn mounts_generation(&self) -> MountsGeneration {
        let generation = &self.mounts_generation;
        MountsGeneration(match self.db.is_shared() {
            true => generation.fetch_add(1, Ordering::SeqCst),
            false => generation.load(Ordering::SeqCst),
        })
    }

    /// What a transaction that changes mounts does after its commit.
    pub(crate) fn mounts_changed<T>(&self) -> impl FnOnce(&T) + Send + use<T> {
        let generation = std::sync::Arc::clone(&self.mounts_generation);
        move |_| {
            generation.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Gives each copy its bytes, or none of them any.
    pub(crate) async fn copy_blobs(
        &self,
        mounts: &[NewMount],
    ) -> Result<Result<(), MountRefusal>, StoreError> {
        for (position, mount) in mounts.iter().enumerate() {
            let (from, to) = (blob_name(mount.source), blob_name(mount.copy));
            let copied = self.blobs.copy(&from, &to).await;
            if let Ok(true) = copied {
                continue;
            }
            let done = mounts[..position].iter().map(|mount| mount.copy);
            self.delete_blobs(done.collect()).await?;
            copied?;
            return Ok(Err(MountRefusal::NoSuchFile { position }));
        }
        Ok(Ok(()))
    }

    /// After their rows are gone, or were never there.
    pub(crate) async fn delete_blobs(&self, files: Vec<FileId>) -> Result<(), StoreError> {
        for file in files {
            self.blobs.delete(&blob_name(file)).await?;
        }
        Ok(())
    }
}

/// Mounts all or none: a refusal has to roll back what it comes after.
pub(crate) fn insert_mounts(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    session: SessionId,
    mounts: &[NewMount],
) -> Result<Result<Vec<FileResource>, MountRefusal>, StoreError> {
    let mut there = find_files(tx, session)?;
    let before = there.len();
    if before + mounts.len() > SESSION_FILES_MAX {
        return Ok(Err(MountRefusal::TooMany));
    }
    if has_skills(tx, session)? {
        let mut mounts = mounts.iter();
        let position = mounts.position(|mount| is_in_the_way(mount.mount_path.relative()));
        if let Some(position) = position {
            return Ok(Err(MountRefusal::PathTaken { position }));
        }
    }
    let repositories = find_repositories(tx, session)?;
    if let Some(refusal) = refusal(tx, workspace, (&there, &repositories), mounts)? {
        return Ok(Err(refusal));
    }
    for mount in mounts {
        let (session, at) = (session.to_string(), mount.at.as_micros());
        let copy = mount.copy.to_string();
        tx.execute(
            COPY_FILE,
            &[
                &workspace.to_string(),
                &mount.source.to_string(),
                &copy,
                &session,
                &at,
            ],
        )?;
        let source = mount.source.to_string();
        let origin: Option<String> = tx.one(ORIGIN, &[&source], |row| row.text(0))?;
        let origin = origin.unwrap_or(source);
        let path = mount.mount_path.relative();
        tx.execute(
            INSERT_RESOURCE,
            &[&mount.id.to_string(), &session, &copy, &path, &origin, &at],
        )?;
        there.push(FileResource {
            id: mount.id,
            kind: FileResourceType::File,
            file_id: mount.copy,
            mount_path: mount.mount_path.clone(),
            created_at: mount.at,
            updated_at: mount.at,
        });
    }
    Ok(Ok(there.split_off(before)))
}

/// Looked for before anything is written, so that a refusal needs no rolling back.
fn refusal(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    (files, repositories): (&[FileResource], &[RepositoryResource]),
    mounts: &[NewMount],
) -> Result<Option<MountRefusal>, StoreError> {
    for (position, mount) in mounts.iter().enumerate() {
        let path = &mount.mount_path;
        let by_file = files.iter().any(|file| file.mount_path.collides_with(path));
        let mut repositories = repositories.iter();
        if by_file || repositories.any(|there| there.mount_path.collides_with_file(path)) {
            return Ok(Some(MountRefusal::PathTaken { position }));
        }
        if !crate::files::is_live(tx, workspace, mount.source, mount.at)? {
            return Ok(Some(MountRefusal::NoSuchFile { position }));
        }
    }
    Ok(None)
}

/// Files and repositories, oldest first.
pub(crate) fn find_resources(
    tx: &Tx<'_>,
    session: SessionId,
) -> Result<Vec<SessionResource>, StoreError> {
    let files = find_files(tx, session)?.into_iter();
    let repositories = find_repositories(tx, session)?.into_iter();
    let mut resources: Vec<SessionResource> = files
        .map(SessionResource::File)
        .chain(repositories.map(SessionResource::Repository))
        .collect();
    resources.sort_by_key(|resource| (resource.created_at(), resource.id()));
    Ok(resources)
}

/// Oldest first; there are at most `SESSION_FILES_MAX`.
fn find_files(tx: &Tx<'_>, session: SessionId) -> Result<Vec<FileResource>, StoreError> {
    tx.all(RESOURCES, &[&session.to_string()], |row: &Row<'_>| {
        Ok(FileResource {
            id: row.id(0)?,
            kind: FileResourceType::File,
            file_id: row.id(1)?,
            mount_path: row.id(2)?,
            created_at: row.timestamp(3)?,
            updated_at: row.timestamp(4)?,
        })
    })
}

/// Takes a file that goes out of its session, if it was a session's copy. Answers whether its bytes
/// count to the storage no more.
pub(crate) fn forget_copy(tx: &Tx<'_>, file: FileId) -> Result<bool, StoreError> {
    let file = file.to_string();
    let copy = tx.one(DELETE_RESOURCE_OF_FILE, &[&file], |row: &Row<'_>| {
        Ok((row.text(0)?, row.flag(1)?))
    })?;
    let origin = match copy {
        Some((_, false)) => return Ok(false),
        Some((origin, true)) => origin,
        None => file,
    };
    // The copies have the same bytes on disk, so one of them is counted instead.
    Ok(tx.execute(COUNT_A_COPY, &[&origin])? == 0)
}
