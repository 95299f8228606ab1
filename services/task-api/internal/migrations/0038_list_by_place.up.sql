-- The index of a list by position has the open tasks before those that are done, as the
-- others have: new tasks are put at the end, behind all that are done. A version that knows
-- the old one sorts.
DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_place;

--bun:split

CREATE INDEX CONCURRENTLY tasks_of_list_by_place ON task.tasks (list_id, is_complete, position, id) INCLUDE (due_at, updated_at, priority, parent_id);

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.tasks_of_list_by_position;
