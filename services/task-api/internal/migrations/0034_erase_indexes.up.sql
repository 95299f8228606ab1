-- Not in a transaction, so that requests go on meanwhile; a migration that was killed
-- leaves an invalid index behind.
DROP INDEX CONCURRENTLY IF EXISTS task.users_to_erase;

--bun:split

CREATE INDEX CONCURRENTLY users_to_erase ON task.users (erase_at) WHERE erase_at IS NOT NULL;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.comments_of_author;

--bun:split

CREATE INDEX CONCURRENTLY comments_of_author ON task.comments (author_id, id);
