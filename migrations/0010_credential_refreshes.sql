-- The refresh tokens that some server may be spending now, and until when it is believed. A token may be good for one
-- use only, so that two servers must not spend it at once.
create table credential_refreshes (
    credential_id text primary key references credentials (id) on delete cascade,
    until bigint not null
);
