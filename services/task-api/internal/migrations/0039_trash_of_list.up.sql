-- All that was thrown away in a list: to empty the trash of one, that of everybody was looked
-- through.
DROP INDEX CONCURRENTLY IF EXISTS task.trash_of_list;

--bun:split

CREATE INDEX CONCURRENTLY trash_of_list ON task.trash (list_id, id);

--bun:split

-- What is shown of a list, the latest first, without what series have let go. The old index can
-- not stay beside it: Postgres would take that as readily. The version before shows no more,
-- and finds the rest, for an export, by the index above, as fast where there are many lists.
DROP INDEX CONCURRENTLY IF EXISTS task.trash_shown;

--bun:split

CREATE INDEX CONCURRENTLY trash_shown ON task.trash (list_id, deleted_at, id) WHERE root_id = id AND NOT let_go;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS task.trash_list;
