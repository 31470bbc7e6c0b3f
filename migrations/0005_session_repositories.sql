-- Repositories that sessions were made with. `checkout` is JSON, null for the default branch.
-- `placed_at` is when the session's sandbox got it: null as long as that is to come, and again
-- when a new sandbox takes the place of the old one.
create table session_repositories (
    id text primary key,
    session_id text not null,
    url text not null,
    mount_path text not null,
    checkout text,
    placed_at bigint,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index session_repositories_by_path on session_repositories (session_id, mount_path);
