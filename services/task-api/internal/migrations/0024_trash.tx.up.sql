-- What was thrown away, as the rows that it was: a query for tasks need not know of it,
-- and the version before sees it as deleted.
CREATE TABLE task.trash (
	-- The task, or the list.
	id         uuid PRIMARY KEY,
	-- With what it was thrown away: itself, its parent, or its list.
	root_id    uuid NOT NULL,
	list_id    uuid NOT NULL,
	series_id  uuid,
	title      text NOT NULL,
	-- The version of its deletion: that of its return goes on from there.
	version    bigint NOT NULL,
	deleted_by uuid NOT NULL,
	deleted_at timestamptz NOT NULL,
	-- The rows of task.tasks, null for a list, of task.reminders and of task.comments.
	task       jsonb,
	reminders  jsonb,
	comments   jsonb
);

--bun:split

CREATE INDEX trash_root ON task.trash (root_id, id);

--bun:split

CREATE INDEX trash_list ON task.trash (list_id, deleted_at, id) WHERE root_id = id;

--bun:split

CREATE INDEX trash_age ON task.trash (deleted_at, id) WHERE root_id = id;

--bun:split

CREATE INDEX trash_series ON task.trash (series_id) WHERE series_id IS NOT NULL;

--bun:split

-- Tasks that are gone for good: none is made again with such an id, by a client that has
-- been away.
CREATE TABLE task.purged (
	id uuid PRIMARY KEY
);

--bun:split

-- A list in the trash keeps its row and its members, who see it only there.
ALTER TABLE task.lists ADD COLUMN trashed_at timestamptz;

--bun:split

ALTER TABLE task.members ADD COLUMN trashed boolean NOT NULL DEFAULT false;
