-- How often the session was taken since it last got on or was given back in order: null if not at all. A
-- session under which the process dies again and again is found by it.
alter table sessions add column takes bigint;
