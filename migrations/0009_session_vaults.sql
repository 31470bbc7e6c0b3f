-- The vaults of a session, a JSON list in the order in which they are looked through: null if it has none. A vault
-- that is deleted stays in the list. What stands for a secret inside the session's sandbox is worth nothing elsewhere.
alter table sessions add column vault_ids text;
create table session_placeholders (
    session_id text not null,
    secret_name text not null,
    placeholder text not null,
    primary key (session_id, secret_name)
);
