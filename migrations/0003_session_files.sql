-- Files that are mounted into sessions. `file_id` is the session's own copy: a file of its own,
-- whose blob shares its bytes with the one that was named. `mount_path` is below the uploads.
-- `origin_id` is the file that had these bytes first, of all that share them. `is_counted` is 1 for
-- the one copy that counts to the storage since what was counted before is gone.
create table session_resources (
    id text primary key,
    session_id text not null,
    file_id text not null,
    mount_path text not null,
    origin_id text not null,
    is_counted bigint not null,
    created_at bigint not null,
    updated_at bigint not null
);
create unique index session_resources_by_path on session_resources (session_id, mount_path);
create unique index session_resources_by_file on session_resources (file_id);
create index session_resources_by_origin on session_resources (origin_id, file_id);

create index files_by_scope on files (scope_id) where scope_id is not null;

-- What stands in the outputs of a session's sandbox. `file_id` is null for what isn't shown: it is
-- too large, or somebody deleted the file. `sha256` is of the bytes that were kept last, and stays
-- when somebody deletes their file. `fingerprint` tells whether the path has changed since; it is
-- null for what an earlier sandbox of the session made.
create table session_outputs (
    session_id text not null,
    path text not null,
    file_id text,
    sha256 text,
    fingerprint text,
    primary key (session_id, path)
);
create unique index session_outputs_by_file on session_outputs (file_id) where file_id is not null;
