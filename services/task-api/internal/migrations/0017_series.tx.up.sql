-- Tasks of a series that are gone: skipped, deleted, or taken back when the one before
-- was reopened. Only the occurrence of one that was taken back may come again, as the
-- same task.
CREATE TABLE task.gone_occurrences (
	series_id  uuid NOT NULL,
	task_id    uuid NOT NULL,
	-- What it stood for. Null for a task that has left the series for one of its own:
	-- its id is used.
	occurrence text,
	-- The moment of that: a series may be in another zone since.
	at         timestamptz,
	all_day    boolean NOT NULL,
	-- The last version of the task: that of one that comes again goes on from there.
	version    bigint NOT NULL,
	-- When the task was created: the order of a series.
	created_at timestamptz NOT NULL,
	taken_back boolean NOT NULL,
	-- The latest moment that the task has reminded for.
	reminded   timestamptz,
	PRIMARY KEY (series_id, task_id)
);

--bun:split

CREATE INDEX gone_occurrences_occurrence ON task.gone_occurrences (series_id, occurrence);

--bun:split

-- The version of a task that a series has made, until somebody else changes it. Null for
-- all others, and for those of the version before.
ALTER TABLE task.tasks ADD COLUMN pristine_version bigint;

--bun:split

-- A task is followed once for each completion (tasks.followed, under the lock of its
-- series); one that was reopened may be followed by another while its first successor stands.
ALTER TABLE task.tasks DROP CONSTRAINT tasks_follows_id_key;
