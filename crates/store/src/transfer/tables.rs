//! Every table with the statements that read and write it whole. A test holds this against the
//! migrations, so that no table and no column can be left behind.

/// A table as a list of rows, in the order of its key.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: usize,
    pub(crate) any: &'static str,
    pub(crate) read: &'static str,
    pub(crate) write: &'static str,
    /// What PostgreSQL has to be told about keys that it did not number itself.
    pub(crate) number: Option<&'static str>,
}

/// Those that others refer to come first.
pub(crate) const TABLES: [Table; 22] = [
    Table {
        name: "workspaces",
        columns: 3,
        any: ANY_WORKSPACES,
        read: READ_WORKSPACES,
        write: WRITE_WORKSPACES,
        number: None,
    },
    Table {
        name: "api_keys",
        columns: 7,
        any: ANY_API_KEYS,
        read: READ_API_KEYS,
        write: WRITE_API_KEYS,
        number: None,
    },
    Table {
        name: "agents",
        columns: 5,
        any: ANY_AGENTS,
        read: READ_AGENTS,
        write: WRITE_AGENTS,
        number: None,
    },
    Table {
        name: "agent_versions",
        columns: 4,
        any: ANY_AGENT_VERSIONS,
        read: READ_AGENT_VERSIONS,
        write: WRITE_AGENT_VERSIONS,
        number: None,
    },
    Table {
        name: "environments",
        columns: 9,
        any: ANY_ENVIRONMENTS,
        read: READ_ENVIRONMENTS,
        write: WRITE_ENVIRONMENTS,
        number: None,
    },
    Table {
        name: "vaults",
        columns: 7,
        any: ANY_VAULTS,
        read: READ_VAULTS,
        write: WRITE_VAULTS,
        number: None,
    },
    Table {
        name: "credentials",
        columns: 13,
        any: ANY_CREDENTIALS,
        read: READ_CREDENTIALS,
        write: WRITE_CREDENTIALS,
        number: None,
    },
    Table {
        name: "files",
        columns: 10,
        any: ANY_FILES,
        read: READ_FILES,
        write: WRITE_FILES,
        number: None,
    },
    Table {
        name: "file_storage",
        columns: 2,
        any: ANY_FILE_STORAGE,
        read: READ_FILE_STORAGE,
        write: WRITE_FILE_STORAGE,
        number: None,
    },
    Table {
        name: "skills",
        columns: 7,
        any: ANY_SKILLS,
        read: READ_SKILLS,
        write: WRITE_SKILLS,
        number: None,
    },
    Table {
        name: "skill_versions",
        columns: 10,
        any: ANY_SKILL_VERSIONS,
        read: READ_SKILL_VERSIONS,
        write: WRITE_SKILL_VERSIONS,
        number: None,
    },
    Table {
        name: "sessions",
        columns: 21,
        any: ANY_SESSIONS,
        read: READ_SESSIONS,
        write: WRITE_SESSIONS,
        number: Some(NUMBER_SESSIONS),
    },
    Table {
        name: "session_agents",
        columns: 2,
        any: ANY_SESSION_AGENTS,
        read: READ_SESSION_AGENTS,
        write: WRITE_SESSION_AGENTS,
        number: None,
    },
    Table {
        name: "session_environments",
        columns: 4,
        any: ANY_SESSION_ENVIRONMENTS,
        read: READ_SESSION_ENVIRONMENTS,
        write: WRITE_SESSION_ENVIRONMENTS,
        number: None,
    },
    Table {
        name: "session_resources",
        columns: 8,
        any: ANY_SESSION_RESOURCES,
        read: READ_SESSION_RESOURCES,
        write: WRITE_SESSION_RESOURCES,
        number: None,
    },
    Table {
        name: "session_repositories",
        columns: 12,
        any: ANY_SESSION_REPOSITORIES,
        read: READ_SESSION_REPOSITORIES,
        write: WRITE_SESSION_REPOSITORIES,
        number: None,
    },
    Table {
        name: "session_skills",
        columns: 3,
        any: ANY_SESSION_SKILLS,
        read: READ_SESSION_SKILLS,
        write: WRITE_SESSION_SKILLS,
        number: None,
    },
    Table {
        name: "session_placeholders",
        columns: 3,
        any: ANY_SESSION_PLACEHOLDERS,
        read: READ_SESSION_PLACEHOLDERS,
        write: WRITE_SESSION_PLACEHOLDERS,
        number: None,
    },
    Table {
        name: "session_outputs",
        columns: 5,
        any: ANY_SESSION_OUTPUTS,
        read: READ_SESSION_OUTPUTS,
        write: WRITE_SESSION_OUTPUTS,
        number: None,
    },
    Table {
        name: "sandbox_checkpoints",
        columns: 7,
        any: ANY_SANDBOX_CHECKPOINTS,
        read: READ_SANDBOX_CHECKPOINTS,
        write: WRITE_SANDBOX_CHECKPOINTS,
        number: None,
    },
    Table {
        name: "deleted_sessions",
        columns: 4,
        any: ANY_DELETED_SESSIONS,
        read: READ_DELETED_SESSIONS,
        write: WRITE_DELETED_SESSIONS,
        number: None,
    },
    Table {
        name: "events",
        columns: 12,
        any: ANY_EVENTS,
        read: READ_EVENTS,
        write: WRITE_EVENTS,
        number: Some(NUMBER_EVENTS),
    },
];

const READ_WORKSPACES: &str = "\
    select id, name, created_at from workspaces order by id";
const WRITE_WORKSPACES: &str = "\
    insert into workspaces (id, name, created_at) values ($1, $2, $3)";
const ANY_WORKSPACES: &str = "select 1 from workspaces limit 1";

const READ_API_KEYS: &str = "\
    select id, workspace_id, name, hash, hint, created_at, revoked_at from api_keys order by id";
const WRITE_API_KEYS: &str = "\
    insert into api_keys (id, workspace_id, name, hash, hint, created_at, revoked_at) values \
    ($1, $2, $3, $4, $5, $6, $7)";
const ANY_API_KEYS: &str = "select 1 from api_keys limit 1";

const READ_AGENTS: &str = "\
    select id, workspace_id, version, created_at, archived_at from agents order by id";
const WRITE_AGENTS: &str = "\
    insert into agents (id, workspace_id, version, created_at, archived_at) values ($1, $2, $3, \
    $4, $5)";
const ANY_AGENTS: &str = "select 1 from agents limit 1";

const READ_AGENT_VERSIONS: &str = "\
    select agent_id, version, config, created_at from agent_versions order by agent_id, version";
const WRITE_AGENT_VERSIONS: &str = "\
    insert into agent_versions (agent_id, version, config, created_at) values ($1, $2, $3, $4)";
const ANY_AGENT_VERSIONS: &str = "select 1 from agent_versions limit 1";

const READ_ENVIRONMENTS: &str = "\
    select id, workspace_id, name, description, config, metadata, created_at, updated_at, \
    archived_at from environments order by id";
const WRITE_ENVIRONMENTS: &str = "\
    insert into environments (id, workspace_id, name, description, config, metadata, \
    created_at, updated_at, archived_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const ANY_ENVIRONMENTS: &str = "select 1 from environments limit 1";

const READ_VAULTS: &str = "\
    select id, workspace_id, display_name, metadata, created_at, updated_at, archived_at \
    from vaults order by id";
const WRITE_VAULTS: &str = "\
    insert into vaults (id, workspace_id, display_name, metadata, created_at, updated_at, \
    archived_at) values ($1, $2, $3, $4, $5, $6, $7)";
const ANY_VAULTS: &str = "select 1 from vaults limit 1";

const READ_CREDENTIALS: &str = "\
    select id, workspace_id, vault_id, display_name, auth, metadata, active_key, version, sealed, \
    sealed_by, created_at, updated_at, archived_at from credentials order by id";
const WRITE_CREDENTIALS: &str = "\
    insert into credentials (id, workspace_id, vault_id, display_name, auth, metadata, active_key, \
    version, sealed, sealed_by, created_at, updated_at, archived_at) values ($1, $2, $3, $4, $5, \
    $6, $7, $8, $9, $10, $11, $12, $13)";
const ANY_CREDENTIALS: &str = "select 1 from credentials limit 1";

const READ_FILES: &str = "\
    select id, workspace_id, filename, mime_type, size_bytes, sha256, downloadable, scope_id, \
    created_at, expires_at from files order by id";
const WRITE_FILES: &str = "\
    insert into files (id, workspace_id, filename, mime_type, size_bytes, sha256, downloadable, \
    scope_id, created_at, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const ANY_FILES: &str = "select 1 from files limit 1";

const READ_FILE_STORAGE: &str = "\
    select workspace_id, bytes from file_storage order by workspace_id";
const WRITE_FILE_STORAGE: &str = "\
    insert into file_storage (workspace_id, bytes) values ($1, $2)";
const ANY_FILE_STORAGE: &str = "select 1 from file_storage limit 1";

const READ_SKILLS: &str = "\
    select id, workspace_id, display_name, name, latest_version_id, created_at, updated_at from \
    skills order by id";
const WRITE_SKILLS: &str = "\
    insert into skills (id, workspace_id, display_name, name, latest_version_id, created_at, \
    updated_at) values ($1, $2, $3, $4, $5, $6, $7)";
const ANY_SKILLS: &str = "select 1 from skills limit 1";

const READ_SKILL_VERSIONS: &str = "\
    select id, workspace_id, skill_id, name, description, files, size_bytes, sha256, created_at, \
    deleted_at from skill_versions order by id";
const WRITE_SKILL_VERSIONS: &str = "\
    insert into skill_versions (id, workspace_id, skill_id, name, description, files, \
    size_bytes, sha256, created_at, deleted_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const ANY_SKILL_VERSIONS: &str = "select 1 from skill_versions limit 1";

const READ_SESSIONS: &str = "\
    select key, id, workspace_id, environment_id, agent_id, agent_version, thread_id, title, \
    metadata, status, summary, created_at, updated_at, archived_at, last_seq, needs_runner_at, \
    lease_owner, lease_epoch, lease_expires_at, takes, vault_ids from sessions order by key";
const WRITE_SESSIONS: &str = "\
    insert into sessions (key, id, workspace_id, environment_id, agent_id, agent_version, \
    thread_id, title, metadata, status, summary, created_at, updated_at, archived_at, last_seq, \
    needs_runner_at, lease_owner, lease_epoch, lease_expires_at, takes, vault_ids) values ($1, $2, \
    $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
const ANY_SESSIONS: &str = "select 1 from sessions limit 1";

const READ_SESSION_AGENTS: &str = "\
    select session_key, agent from session_agents order by session_key";
const WRITE_SESSION_AGENTS: &str = "\
    insert into session_agents (session_key, agent) values ($1, $2)";
const ANY_SESSION_AGENTS: &str = "select 1 from session_agents limit 1";

const READ_SESSION_ENVIRONMENTS: &str = "\
    select session_key, config, metadata, updated_at from session_environments order by \
    session_key";
const WRITE_SESSION_ENVIRONMENTS: &str = "\
    insert into session_environments (session_key, config, metadata, updated_at) values ($1, \
    $2, $3, $4)";
const ANY_SESSION_ENVIRONMENTS: &str = "select 1 from session_environments limit 1";

const READ_SESSION_RESOURCES: &str = "\
    select id, session_id, file_id, mount_path, origin_id, is_counted, created_at, updated_at \
    from session_resources order by id";
const WRITE_SESSION_RESOURCES: &str = "\
    insert into session_resources (id, session_id, file_id, mount_path, origin_id, is_counted, \
    created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8)";
const ANY_SESSION_RESOURCES: &str = "select 1 from session_resources limit 1";

const READ_SESSION_REPOSITORIES: &str = "\
    select id, session_id, url, mount_path, checkout, placed_at, created_at, updated_at, sealed, \
    sealed_by, token_version, skills from session_repositories order by id";
const WRITE_SESSION_REPOSITORIES: &str = "\
    insert into session_repositories (id, session_id, url, mount_path, checkout, placed_at, \
    created_at, updated_at, sealed, sealed_by, token_version, skills) values ($1, $2, $3, $4, $5, $6, \
    $7, $8, $9, $10, $11, $12)";
const ANY_SESSION_REPOSITORIES: &str = "select 1 from session_repositories limit 1";

const READ_SESSION_SKILLS: &str = "\
    select session_id, position, version_id from session_skills order by session_id, position";
const WRITE_SESSION_SKILLS: &str = "\
    insert into session_skills (session_id, position, version_id) values ($1, $2, $3)";
const ANY_SESSION_SKILLS: &str = "select 1 from session_skills limit 1";

const READ_SESSION_PLACEHOLDERS: &str = "\
    select session_id, secret_name, placeholder from session_placeholders order by session_id, \
    secret_name";
const WRITE_SESSION_PLACEHOLDERS: &str = "\
    insert into session_placeholders (session_id, secret_name, placeholder) values ($1, $2, $3)";
const ANY_SESSION_PLACEHOLDERS: &str = "select 1 from session_placeholders limit 1";

const READ_SESSION_OUTPUTS: &str = "\
    select session_id, path, file_id, sha256, fingerprint from session_outputs order by \
    session_id, path";
const WRITE_SESSION_OUTPUTS: &str = "\
    insert into session_outputs (session_id, path, file_id, sha256, fingerprint) values ($1, \
    $2, $3, $4, $5)";
const ANY_SESSION_OUTPUTS: &str = "select 1 from session_outputs limit 1";

const READ_SANDBOX_CHECKPOINTS: &str = "\
    select session_id, blob_id, format, size_bytes, sha256, made_at, created_at from \
    sandbox_checkpoints order by session_id";
const WRITE_SANDBOX_CHECKPOINTS: &str = "\
    insert into sandbox_checkpoints (session_id, blob_id, format, size_bytes, sha256, made_at, \
    created_at) values ($1, $2, $3, $4, $5, $6, $7)";
const ANY_SANDBOX_CHECKPOINTS: &str = "select 1 from sandbox_checkpoints limit 1";

const READ_DELETED_SESSIONS: &str = "\
    select id, workspace_id, event_id, deleted_at from deleted_sessions order by id";
const WRITE_DELETED_SESSIONS: &str = "\
    insert into deleted_sessions (id, workspace_id, event_id, deleted_at) values ($1, $2, $3, \
    $4)";
const ANY_DELETED_SESSIONS: &str = "select 1 from deleted_sessions limit 1";

const READ_EVENTS: &str = "\
    select key, session_key, seq, id, type, visibility, source_seq, thread_id, epoch, at, body, \
    checksum from events order by key";
const WRITE_EVENTS: &str = "\
    insert into events (key, session_key, seq, id, type, visibility, source_seq, thread_id, \
    epoch, at, body, checksum) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const ANY_EVENTS: &str = "select 1 from events limit 1";

/// The next key of PostgreSQL's own is behind those that were written.
const NUMBER_SESSIONS: &str = "\
    select setval(pg_get_serial_sequence('sessions', 'key'), coalesce(max(key), 0) + 1, false) from sessions";

/// The next key of PostgreSQL's own is behind those that were written.
const NUMBER_EVENTS: &str = "\
    select setval(pg_get_serial_sequence('events', 'key'), coalesce(max(key), 0) + 1, false) from events";
