-- The index of a list by due time has what the day of an all-day task hangs on: lists of a
-- day are found in it alone. A version that knows the old one uses this.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_day;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_day ON task.tasks (list_id, is_complete, due_at, id) INCLUDE (all_day, timezone, created_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_due;
