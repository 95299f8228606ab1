-- Occurrences whose tasks are gone: skipped, deleted, or taken back when the one before
-- was reopened. Only those that were taken back may come again, as the same task.
CREATE TABLE task.gone_occurrences (
	series_id  uuid NOT NULL,
	occurrence text NOT NULL,
	-- The moment that it stood for: a series may be in another zone since.
	at         timestamptz NOT NULL,
	task_id    uuid NOT NULL,
	-- The last version of its task: that of one that comes again goes on from there.
	version    bigint NOT NULL,
	-- When the task was created: the order of a series.
	created_at timestamptz NOT NULL,
	taken_back boolean NOT NULL,
	PRIMARY KEY (series_id, occurrence)
);

--bun:split

-- A task is followed once for each completion (tasks.followed, under the lock of its
-- series); one that was reopened may be followed by another while its first successor stands.
ALTER TABLE task.tasks DROP CONSTRAINT tasks_follows_id_key;
