-- The indexes of 0011, with the columns that lists are filtered and ordered by: one
-- that is filtered by due dates and ordered by creation is found in an index alone. The
-- old ones go when these are there; a version that knows those uses these.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_created;

--bun:split

CREATE INDEX CONCURRENTLY tasks_in_order_of_created ON task.tasks (user_id, is_complete, created_at, id) INCLUDE (due_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_created;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_updated;

--bun:split

CREATE INDEX CONCURRENTLY tasks_in_order_of_updated ON task.tasks (user_id, is_complete, updated_at, id) INCLUDE (created_at, due_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_updated;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_due;

--bun:split

CREATE INDEX CONCURRENTLY tasks_in_order_of_due ON task.tasks (user_id, is_complete, due_at, id) INCLUDE (created_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_due;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_priority;

--bun:split

CREATE INDEX CONCURRENTLY tasks_in_order_of_priority ON task.tasks (user_id, is_complete, priority, id) INCLUDE (created_at, due_at, updated_at, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_priority;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_title;

--bun:split

CREATE INDEX CONCURRENTLY tasks_in_order_of_title ON task.tasks (user_id, is_complete, title_key, id) INCLUDE (due_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_by_title;
