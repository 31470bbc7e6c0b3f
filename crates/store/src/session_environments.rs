//! The environment of a session, as it was when the session was made. Environments change in
//! place; what runs in a session must not change with them.

use hostler_protocol::Timestamp;
use hostler_protocol::decode::Metadata;
use hostler_protocol::environment::{Environment, EnvironmentConfig};
use hostler_protocol::id::{EnvironmentId, SessionId};

use crate::db::Tx;
use crate::log::json;
use crate::{Store, StoreError};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionEnvironment {
    pub environment_id: EnvironmentId,
    pub config: EnvironmentConfig,
    pub metadata: Metadata,
    /// When the environment had been changed last. With the id it names one version of it.
    pub updated_at: Timestamp,
}

const INSERT: &str = "\
    insert into session_environments (session_key, config, metadata, updated_at) \
    values ($1, $2, $3, $4)";

const FIND: &str = "\
    select s.environment_id, e.config, e.metadata, e.updated_at \
    from sessions s join session_environments e on e.session_key = s.key where s.id = $1";

pub(crate) const DELETE_SESSION_ENVIRONMENT: &str =
    "delete from session_environments where session_key = $1";

impl Store {
    /// For whoever acts for the session, of any workspace. `None`: there is no such session.
    pub async fn session_environment(
        &self,
        id: SessionId,
    ) -> Result<Option<SessionEnvironment>, StoreError> {
        self.db
            .read(move |tx| {
                tx.one(FIND, &[&id.to_string()], |row| {
                    Ok(SessionEnvironment {
                        environment_id: row.id(0)?,
                        config: row.json(1)?,
                        metadata: row.json(2)?,
                        updated_at: row.timestamp(3)?,
                    })
                })
            })
            .await
    }
}

/// Keeps what `environment` says now for the session with this key.
pub(crate) fn insert_session_environment(
    tx: &Tx<'_>,
    session_key: i64,
    environment: &Environment,
) -> Result<(), StoreError> {
    let config = json(&environment.config)?;
    let metadata = json(&environment.metadata)?;
    let updated_at = environment.updated_at.as_micros();
    tx.execute(INSERT, &[&session_key, &config, &metadata, &updated_at])?;
    Ok(())
}
