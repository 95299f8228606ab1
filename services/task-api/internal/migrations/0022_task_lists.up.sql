-- An index for each order of a list, as in 0014, but by the list that a task is in. That of
-- 0014 by creation stays for the version before, which sorts by it whatever it is asked for.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_created;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_created ON task.tasks (list_id, is_complete, created_at, id) INCLUDE (due_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_updated;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_updated ON task.tasks (list_id, is_complete, updated_at, id) INCLUDE (created_at, due_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_updated;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_due;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_due ON task.tasks (list_id, is_complete, due_at, id) INCLUDE (created_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_due;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_priority;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_priority ON task.tasks (list_id, is_complete, priority, id) INCLUDE (created_at, due_at, updated_at, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_priority;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_title;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_title ON task.tasks (list_id, is_complete, title_key, id) INCLUDE (due_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_in_order_of_title;

--bun:split

-- Who puts a task between two others asks for its neighbours, done or not.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_position;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_position ON task.tasks (list_id, position, id) INCLUDE (is_complete, due_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_unindexed;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_unindexed ON task.tasks (list_id, id) WHERE CASE search_version WHEN version * 16 + 1 THEN 0 ELSE 1 END = 1;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_unindexed;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_assignee;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_assignee ON task.tasks (assignee_id, list_id) WHERE assignee_id IS NOT NULL;
