-- The token that a repository is fetched and pushed with, sealed for this version of it by the master key `sealed_by`. All three
-- are null where there is none.
alter table session_repositories add column sealed text;
alter table session_repositories add column sealed_by text;
alter table session_repositories add column token_version bigint;
create index session_repositories_by_master_key on session_repositories (sealed_by, id);
