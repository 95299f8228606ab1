-- An index for each way to read the trail, of a list and of what is in none. Those of 0003
-- stay for the version before, which reads by user_id whatever list an entry is in; a
-- contract migration drops them when it can not come back.
DROP INDEX CONCURRENTLY IF EXISTS audit.entries_in_list;

--bun:split

CREATE INDEX CONCURRENTLY entries_in_list ON audit.entries (list_id, occurred_at, sequence, id) WHERE list_id IS NOT NULL;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS audit.entries_in_list_of_action;

--bun:split

CREATE INDEX CONCURRENTLY entries_in_list_of_action ON audit.entries (list_id, action, occurred_at, sequence, id) WHERE list_id IS NOT NULL;

--bun:split

-- By the task and then the list: who may read nothing of a task steps on no entry of it,
-- and waits for the answer no longer than where there is none.
DROP INDEX CONCURRENTLY IF EXISTS audit.entries_in_list_of_task;

--bun:split

CREATE INDEX CONCURRENTLY entries_in_list_of_task ON audit.entries (task_id, list_id, occurred_at, sequence, id) WHERE list_id IS NOT NULL;

--bun:split

-- By user_id alone, the way to what is in no list would lead over all that is in one.
DROP INDEX CONCURRENTLY IF EXISTS audit.entries_in_none;

--bun:split

CREATE INDEX CONCURRENTLY entries_in_none ON audit.entries (user_id, occurred_at, sequence, id) WHERE list_id IS NULL;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS audit.entries_in_none_of_action;

--bun:split

CREATE INDEX CONCURRENTLY entries_in_none_of_action ON audit.entries (user_id, action, occurred_at, sequence, id) WHERE list_id IS NULL;

--bun:split

DROP INDEX CONCURRENTLY IF EXISTS audit.entries_in_none_of_task;

--bun:split

CREATE INDEX CONCURRENTLY entries_in_none_of_task ON audit.entries (task_id, user_id, occurred_at, sequence, id) WHERE list_id IS NULL;
