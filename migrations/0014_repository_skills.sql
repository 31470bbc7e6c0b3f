-- The skills of a repository, as they were found when it was first placed (JSON): what a model is told of them stays the
-- same for as long as the session lives. Null until then, and for what was placed before there was this.
alter table session_repositories add column skills text;
