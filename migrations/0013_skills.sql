-- Skills, and their versions with the names of their files (JSON); the bytes are a blob. A version that was deleted stays
-- for as long as a session has it.
create table skills (
    id text primary key,
    workspace_id text not null,
    display_name text not null,
    name text not null,
    latest_version_id text not null,
    created_at bigint not null,
    updated_at bigint not null
);
create index skills_by_age on skills (workspace_id, created_at, id);
create table skill_versions (
    id text primary key,
    workspace_id text not null,
    skill_id text not null,
    name text not null,
    description text not null,
    files text not null,
    size_bytes bigint not null,
    sha256 text not null,
    created_at bigint not null,
    deleted_at bigint
);
create index skill_versions_by_age on skill_versions (skill_id, created_at, id);
create index skill_versions_by_deletion on skill_versions (deleted_at) where deleted_at is not null;
create table session_skills (
    session_id text not null,
    position bigint not null,
    version_id text not null,
    primary key (session_id, position)
);
create index session_skills_by_version on session_skills (version_id);
