-- What the members of a list say about its tasks. A comment is where its task is, and goes
-- with it, also when the version before deletes that.
CREATE TABLE task.comments (
	id         uuid PRIMARY KEY,
	task_id    uuid NOT NULL REFERENCES task.tasks (id) ON DELETE CASCADE,
	author_id  uuid NOT NULL,
	text       text NOT NULL,
	edited_at  timestamptz,
	-- Later than that of each comment on the task before it.
	created_at timestamptz NOT NULL
);

--bun:split

CREATE INDEX comments_of_task ON task.comments (task_id, created_at, id);
