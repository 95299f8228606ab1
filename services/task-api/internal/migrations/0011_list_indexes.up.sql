-- An index for each order of a list of tasks. One of those that are complete or
-- not, or both, merged, is read in order from either end.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_created;

--bun:split

CREATE INDEX CONCURRENTLY tasks_by_created ON task.tasks (user_id, is_complete, created_at, id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_updated;

--bun:split

CREATE INDEX CONCURRENTLY tasks_by_updated ON task.tasks (user_id, is_complete, updated_at, id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_due;

--bun:split

CREATE INDEX CONCURRENTLY tasks_by_due ON task.tasks (user_id, is_complete, due_at, id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_priority;

--bun:split

CREATE INDEX CONCURRENTLY tasks_by_priority ON task.tasks (user_id, is_complete, priority, id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_title;

--bun:split

CREATE INDEX CONCURRENTLY tasks_by_title ON task.tasks (user_id, is_complete, title_key, id);

--bun:split

-- The tasks whose title_key and row in task.search are of another version: see
-- 0010 and search.Version. Of a condition in this form Postgres supposes that it
-- is rarely true, and so it takes this index; of IS DISTINCT FROM, that it
-- nearly always is.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_unindexed;

--bun:split

CREATE INDEX CONCURRENTLY tasks_unindexed ON task.tasks (user_id, id) WHERE CASE search_version WHEN version * 16 + 1 THEN 0 ELSE 1 END = 1;
