-- What a session's environment said when the session was made: a session keeps the configuration that
-- it started with. `updated_at` is that of the environment then, so that it names one version of it.
create table session_environments (
    session_key integer primary key,
    config text not null,
    metadata text not null,
    updated_at bigint not null
);
-- Sessions from before this table go on with what their environment says now.
insert into session_environments (session_key, config, metadata, updated_at)
select s.key, e.config, e.metadata, e.updated_at
from sessions s join environments e on e.id = s.environment_id;
