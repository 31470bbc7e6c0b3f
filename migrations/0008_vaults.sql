-- Vaults, and the credentials in them. `auth` is JSON without secrets. `sealed` holds the secrets under a key that
-- the master key `sealed_by` wraps; both are null once the credential is archived. `active_key` is the server or
-- the variable that an active credential is for, and null for an archived one. `version` goes up with each change
-- of the row, and the seal is bound to it.
create table vaults (
    id text primary key,
    workspace_id text not null,
    display_name text not null,
    metadata text not null,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
create index vaults_by_age on vaults (workspace_id, created_at, id);

create table credentials (
    id text primary key,
    workspace_id text not null,
    vault_id text not null references vaults (id),
    display_name text,
    auth text not null,
    metadata text not null,
    active_key text,
    version bigint not null,
    sealed text,
    sealed_by text,
    created_at bigint not null,
    updated_at bigint not null,
    archived_at bigint
);
create index credentials_by_age on credentials (vault_id, created_at, id);
create unique index credentials_by_active_key on credentials (vault_id, active_key);
create index credentials_by_master_key on credentials (sealed_by, id);
