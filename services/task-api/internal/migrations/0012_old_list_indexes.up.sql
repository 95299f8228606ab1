-- The indexes of 0011 serve what these did: a version that does not know them
-- reads a user's tasks through their first column, as it did for its default list.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_created;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_updated;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_due;
