-- What a session's log amounts to up to `seq`, so that a runner need not fold it from its beginning. A
-- cache: what is missing, or of another format than the reader's, is made anew from `events`.
create table session_snapshots (
    session_key integer primary key,
    format bigint not null,
    seq bigint not null,
    body text not null
);

-- The older part of the conversation in a snapshot, in pieces that never change.
create table session_snapshot_texts (
    session_key bigint not null,
    format bigint not null,
    number bigint not null,
    body text not null,
    primary key (session_key, format, number)
);
