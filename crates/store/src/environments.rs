//! Environments. They aren't versioned: an update changes the row.

use hostler_protocol::Timestamp;
use hostler_protocol::decode::Invalid;
use hostler_protocol::environment::{
    Environment, EnvironmentFields, EnvironmentScope, EnvironmentType, UpdateEnvironment,
};
use hostler_protocol::id::{EnvironmentId, WorkspaceId};

use crate::db::Tx;
use crate::page::{Archived, PageRange};
use crate::row::Row;
use crate::{Store, StoreError};

/// What became of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvironmentUpdated {
    /// As it stands now, changed or not.
    Updated(Box<Environment>),
    Invalid(Invalid),
    Archived,
    NoSuchEnvironment,
}

/// What became of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvironmentDeleted {
    Deleted,
    /// A session refers to it.
    InUse,
    NoSuchEnvironment,
}

const CREATE: &str = "\
    insert into environments (id, workspace_id, name, description, config, metadata, created_at, \
    updated_at, archived_at) values ($1, $2, $3, $4, $5, $6, $7, $7, null)";

const UPDATE: &str = "\
    update environments set name = $3, description = $4, config = $5, metadata = $6, \
    updated_at = $7 where workspace_id = $1 and id = $2";

const ARCHIVE: &str = "\
    update environments set archived_at = $3, updated_at = $3 \
    where workspace_id = $1 and id = $2 and archived_at is null";

const DELETE: &str = "delete from environments where workspace_id = $1 and id = $2";

const SESSION_OF: &str = "select id from sessions where environment_id = $1 limit 1";

const FIND: &str = "\
    select id, name, description, config, metadata, created_at, updated_at, archived_at \
    from environments where workspace_id = $1 and id = $2";

const LIST: &str = "\
    select id, name, description, config, metadata, created_at, updated_at, archived_at \
    from environments where workspace_id = $1 and ($2 = 1 or archived_at is null) \
    and (created_at, id) < ($3, $4) order by created_at desc, id desc limit $5";

impl Store {
    pub async fn create_environment(
        &self,
        workspace: WorkspaceId,
        environment: Environment,
    ) -> Result<Environment, StoreError> {
        self.db
            .write(move |tx| {
                let columns = Columns::of(&environment.fields())?;
                tx.execute(
                    CREATE,
                    &[
                        &environment.id.to_string(),
                        &workspace.to_string(),
                        &environment.name,
                        &environment.description,
                        &columns.config,
                        &columns.metadata,
                        &environment.created_at.as_micros(),
                    ],
                )?;
                Ok(environment)
            })
            .await
    }

    /// An update that changes nothing leaves `updated_at` alone.
    pub async fn update_environment(
        &self,
        workspace: WorkspaceId,
        id: EnvironmentId,
        update: UpdateEnvironment,
        at: Timestamp,
    ) -> Result<EnvironmentUpdated, StoreError> {
        self.db
            .write(move |tx| {
                let Some(mut environment) = find_environment(tx, workspace, id)? else {
                    return Ok(EnvironmentUpdated::NoSuchEnvironment);
                };
                if environment.archived_at.is_some() {
                    return Ok(EnvironmentUpdated::Archived);
                }
                let fields = match update.apply(environment.fields()) {
                    Ok(fields) => fields,
                    Err(invalid) => return Ok(EnvironmentUpdated::Invalid(invalid)),
                };
                if fields != environment.fields() {
                    write_fields(tx, workspace, id, &fields, at)?;
                    environment = Environment {
                        updated_at: at,
                        ..Environment::new(id, fields, environment.created_at)
                    };
                }
                Ok(EnvironmentUpdated::Updated(Box::new(environment)))
            })
            .await
    }

    /// Sets the moment of archival, once. `None`: there is no such environment.
    pub async fn archive_environment(
        &self,
        workspace: WorkspaceId,
        id: EnvironmentId,
        at: Timestamp,
    ) -> Result<Option<Environment>, StoreError> {
        self.db
            .write(move |tx| {
                let key = [workspace.to_string(), id.to_string()];
                tx.execute(ARCHIVE, &[&key[0], &key[1], &at.as_micros()])?;
                find_environment(tx, workspace, id)
            })
            .await
    }

    /// Deletes an environment, archived or not, that no session refers to.
    pub async fn delete_environment(
        &self,
        workspace: WorkspaceId,
        id: EnvironmentId,
    ) -> Result<EnvironmentDeleted, StoreError> {
        self.db
            .write(move |tx| {
                if find_environment(tx, workspace, id)?.is_none() {
                    return Ok(EnvironmentDeleted::NoSuchEnvironment);
                }
                let session = tx.one(SESSION_OF, &[&id.to_string()], |row| row.text(0))?;
                if session.is_some() {
                    return Ok(EnvironmentDeleted::InUse);
                }
                tx.execute(DELETE, &[&workspace.to_string(), &id.to_string()])?;
                Ok(EnvironmentDeleted::Deleted)
            })
            .await
    }

    pub async fn environment(
        &self,
        workspace: WorkspaceId,
        id: EnvironmentId,
    ) -> Result<Option<Environment>, StoreError> {
        self.db
            .read(move |tx| find_environment(tx, workspace, id))
            .await
    }

    /// Newest first.
    pub async fn environments(
        &self,
        workspace: WorkspaceId,
        archived: Archived,
        range: PageRange,
    ) -> Result<Vec<Environment>, StoreError> {
        self.db
            .read(move |tx| {
                let (below_at, below_id) = range.below();
                tx.all(
                    LIST,
                    &[
                        &workspace.to_string(),
                        &archived.flag(),
                        &below_at,
                        &below_id,
                        &range.rows(),
                    ],
                    read_environment,
                )
            })
            .await
    }
}

/// For use inside another transaction.
pub(crate) fn find_environment(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: EnvironmentId,
) -> Result<Option<Environment>, StoreError> {
    let key = [workspace.to_string(), id.to_string()];
    tx.one(FIND, &[&key[0], &key[1]], read_environment)
}

fn read_environment(row: &Row<'_>) -> Result<Environment, StoreError> {
    Ok(Environment {
        id: row.id(0)?,
        kind: EnvironmentType::Environment,
        name: row.text(1)?,
        description: row.optional_text(2)?,
        config: row.json(3)?,
        metadata: row.json(4)?,
        scope: EnvironmentScope::Organization,
        created_at: row.timestamp(5)?,
        updated_at: row.timestamp(6)?,
        archived_at: row.optional_timestamp(7)?,
    })
}

fn write_fields(
    tx: &Tx<'_>,
    workspace: WorkspaceId,
    id: EnvironmentId,
    fields: &EnvironmentFields,
    at: Timestamp,
) -> Result<(), StoreError> {
    let columns = Columns::of(fields)?;
    tx.execute(
        UPDATE,
        &[
            &workspace.to_string(),
            &id.to_string(),
            &fields.name,
            &fields.description,
            &columns.config,
            &columns.metadata,
            &at.as_micros(),
        ],
    )?;
    Ok(())
}

/// The two columns that hold JSON.
struct Columns {
    config: String,
    metadata: String,
}

impl Columns {
    fn of(fields: &EnvironmentFields) -> Result<Self, StoreError> {
        let corrupt = |error: serde_json::Error| StoreError::Corrupt {
            what: format!("an environment: {error}"),
        };
        Ok(Self {
            config: serde_json::to_string(&fields.config).map_err(corrupt)?,
            metadata: serde_json::to_string(&fields.metadata).map_err(corrupt)?,
        })
    }
}
