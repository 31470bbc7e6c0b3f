-- The first schema. Times are microseconds since 1970 in UTC, ids are their text, JSON is text.
-- The database invents no value: no defaults, no clocks.

-- One row a session. `summary` is what follows from the events (status, usage, queue), computed by
-- the domain in the transaction that appends them; the plain columns beside it are for filters.
create table sessions (
    key integer primary key,
    id text not null,
    workspace_id text not null,
    environment_id text not null,
    agent_id text not null,
    agent_version bigint not null,
    thread_id text not null,
    title text,
    metadata text not null,
    status text not null,
    summary text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint,
    last_seq bigint not null,
    -- When a runner is due: null if there is nothing to do.
    needs_runner_at bigint,
    lease_owner text,
    lease_epoch bigint not null,
    lease_expires_at bigint not null
);
create unique index sessions_by_id on sessions (id);
create index sessions_by_age on sessions (workspace_id, created_at, id);
create index sessions_by_environment on sessions (environment_id);
create index sessions_by_due_time on sessions (needs_runner_at) where needs_runner_at is not null;
create index sessions_by_lease on sessions (lease_owner) where lease_owner is not null;

-- What a session runs. Apart from its row, which is written with every append: this is large and
-- seldom changes.
create table session_agents (
    session_key integer primary key,
    agent text not null
);

-- The log. Written by one function, never updated. `source_seq` is set on a row that marks a
-- queued event as processed: its body is that of the row where it was received.
create table events (
    key integer primary key,
    session_key bigint not null,
    seq bigint not null,
    id text not null,
    type text not null,
    visibility text not null,
    source_seq bigint,
    thread_id text,
    epoch bigint not null,
    at bigint not null,
    body text not null
);
create unique index events_by_position on events (session_key, seq);

-- What is left of a deleted session, so that its open streams can say so.
create table deleted_sessions (
    id text primary key,
    workspace_id text not null,
    event_id text not null,
    deleted_at bigint not null
);

-- The tenants. Every other row belongs to one.
create table workspaces (
    id text primary key,
    name text not null,
    created_at bigint not null
);

-- Keys are stored as SHA-256 in hexadecimal; `hint` is the end of the key, for its owner's eyes.
create table api_keys (
    id text primary key,
    workspace_id text not null references workspaces (id),
    name text not null,
    hash text not null,
    hint text not null,
    created_at bigint not null,
    revoked_at bigint
);
create unique index api_keys_by_hash on api_keys (hash);
create index api_keys_by_age on api_keys (workspace_id, created_at, id);

-- `version` is the newest; what each version says is in `agent_versions`.
create table agents (
    id text primary key,
    workspace_id text not null,
    version bigint not null,
    created_at bigint not null,
    archived_at bigint
);
create index agents_by_age on agents (workspace_id, created_at, id);

-- Never changed: an update makes the next version.
create table agent_versions (
    agent_id text not null references agents (id),
    version bigint not null,
    config text not null,
    created_at bigint not null,
    primary key (agent_id, version)
);

create table environments (
    id text primary key,
    workspace_id text not null,
    name text not null,
    description text,
    config text not null,
    metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
create index environments_by_age on environments (workspace_id, created_at, id);

-- The bytes are a blob of the same id. `scope_id` is the session that made the file.
create table files (
    id text primary key,
    workspace_id text not null,
    filename text not null,
    mime_type text not null,
    size_bytes bigint not null,
    sha256 text not null,
    downloadable bigint not null,
    scope_id text,
    created_at bigint not null,
    expires_at bigint
);
create index files_by_age on files (workspace_id, created_at, id);
create index files_by_expiry on files (expires_at) where expires_at is not null;

-- The sum of `size_bytes` of a workspace, kept by the transactions that change it.
create table file_storage (
    workspace_id text primary key,
    bytes bigint not null
);
