-- The ways to what there is of somebody, who is being erased or wants to have it. Not in a transaction, so that
-- the trail goes on meanwhile; a migration that was killed leaves an invalid index behind.
DROP INDEX CONCURRENTLY IF EXISTS audit.entries_of_actor;

--bun:split

CREATE INDEX CONCURRENTLY entries_of_actor ON audit.entries (actor_id, occurred_at, sequence, id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS audit.entries_about;

--bun:split

CREATE INDEX CONCURRENTLY entries_about ON audit.entries (lower(target)) WHERE target LIKE 'user/%' OR target LIKE 'invitation/%';
