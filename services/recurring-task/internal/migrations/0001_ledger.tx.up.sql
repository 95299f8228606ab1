-- What became of each occurrence of each series.
CREATE TABLE recurring.occurrences (
	series_id  uuid NOT NULL,
	-- The wall time that it stands for; sorts as the time does.
	occurrence text NOT NULL,
	user_id    uuid NOT NULL,
	-- Null for one that was missed: no task ever stood for it.
	task_id    uuid,
	status     text NOT NULL CHECK (status IN ('open', 'done', 'skipped', 'missed')),
	due_at     timestamptz,
	-- The task's version that the row tells of: an older one never overwrites it.
	version    bigint NOT NULL,
	updated_at timestamptz NOT NULL,
	PRIMARY KEY (series_id, occurrence)
);

--bun:split

CREATE INDEX occurrences_task ON recurring.occurrences (task_id) WHERE task_id IS NOT NULL;
