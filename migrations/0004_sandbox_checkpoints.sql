-- The archive of a session's sandbox, which is a blob: written before its row and deleted after it.
-- `format` is the archive's, `made_at` the time when the sandbox was made.
create table sandbox_checkpoints (
    session_id text primary key,
    blob_id text not null,
    format bigint not null,
    size_bytes bigint not null,
    sha256 text not null,
    made_at bigint not null,
    created_at bigint not null
);
