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

-- fastupdate = off: a search never goes through a list of what is not sorted in.
CREATE INDEX search_keys ON task.search USING gin (keys) WITH (fastupdate = off);
