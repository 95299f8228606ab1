-- What lists sort and search by, which the service computes (internal/search).
-- A version that knows nothing of these columns leaves them alone; what it has
-- written is told by search_version: the task's version that they were computed
-- of, times 16, and the version of internal/search.
ALTER TABLE task.tasks ADD COLUMN title_key bytea, ADD COLUMN search_version bigint;

--bun:split

-- Beside the tasks, so that completing a task does not touch it.
CREATE TABLE task.search (
	task_id uuid PRIMARY KEY REFERENCES task.tasks (id) ON DELETE CASCADE,
	-- Title and description, folded.
	text    text NOT NULL,
	keys    bigint[] NOT NULL
);

--bun:split

-- Read more often than written, and soon decompressed: a search looks through long texts.
ALTER TABLE task.search ALTER COLUMN text SET STORAGE EXTERNAL, ALTER COLUMN keys SET STORAGE EXTERNAL;

--bun:split

-- How often a key occurs in all tasks says nothing of how often it does in a
-- user's. Without statistics every key counts as rare, which is what the
-- queries are written for.
ALTER TABLE task.search ALTER COLUMN keys SET STATISTICS 0;

--bun:split

-- What is written waits in a list until there is 1 MB of it, which is then sorted
-- in at once. Sorted in one by one, the keys of a task with 200 characters cost
-- 7 ms and 146 kB of WAL; so it is 0.3 ms and 4 kB, and a search goes through
-- 1 MB at most.
CREATE INDEX search_keys ON task.search USING gin (keys) WITH (gin_pending_list_limit = 1024);
