-- What a series consists of, by its tasks' age and by what they stand for. Not in a
-- transaction, so that requests go on; one that was killed leaves an invalid index.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_series;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_series ON task.tasks (series_id, created_at) WHERE series_id IS NOT NULL;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_occurrence;

--bun:split

CREATE INDEX CONCURRENTLY tasks_occurrence ON task.tasks (series_id, occurrence) WHERE series_id IS NOT NULL;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_series;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_follows;

--bun:split

CREATE INDEX CONCURRENTLY tasks_follows ON task.tasks (follows_id) WHERE follows_id IS NOT NULL;
