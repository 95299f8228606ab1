CREATE TABLE task.users (
	id            uuid PRIMARY KEY,
	email         text NOT NULL,
	-- Null for a user of an outside issuer, who has no password here.
	password_hash text,
	name          text NOT NULL DEFAULT '',
	timezone      text NOT NULL DEFAULT 'UTC',
	created_at    timestamptz NOT NULL,
	updated_at    timestamptz NOT NULL
);

--bun:split

-- Only those who sign in here need an address of their own.
CREATE UNIQUE INDEX users_email ON task.users (lower(email)) WHERE password_hash IS NOT NULL;

--bun:split

CREATE TABLE task.tasks (
	id           uuid PRIMARY KEY,
	user_id      uuid NOT NULL,
	title        text NOT NULL,
	description  text NOT NULL,
	is_complete  boolean NOT NULL,
	-- 0 none, 1 low, 2 medium, 3 high, 4 urgent: so that it sorts.
	priority     smallint NOT NULL,
	tags         text[] NOT NULL,
	due_at       timestamptz,
	all_day      boolean NOT NULL,
	timezone     text NOT NULL,
	recurrence   jsonb,
	parent_id    uuid REFERENCES task.tasks (id),
	series_id    uuid,
	occurrence   text,
	-- The task of the series that this one followed. Unique, so that a task
	-- can be followed once, however often it is completed.
	follows_id   uuid UNIQUE,
	completed_at timestamptz,
	version      bigint NOT NULL,
	created_at   timestamptz NOT NULL,
	updated_at   timestamptz NOT NULL
);

--bun:split

CREATE INDEX tasks_created ON task.tasks (user_id, created_at, id);

--bun:split

CREATE INDEX tasks_updated ON task.tasks (user_id, updated_at, id);

--bun:split

CREATE INDEX tasks_due ON task.tasks (user_id, due_at, id);

--bun:split

CREATE INDEX tasks_parent ON task.tasks (parent_id) WHERE parent_id IS NOT NULL;

--bun:split

CREATE INDEX tasks_series ON task.tasks (series_id) WHERE series_id IS NOT NULL;

--bun:split

CREATE TABLE task.reminders (
	id         uuid PRIMARY KEY,
	task_id    uuid NOT NULL REFERENCES task.tasks (id) ON DELETE CASCADE,
	-- The place in the task's list.
	ordinal    smallint NOT NULL,
	at         timestamptz,
	before_due text,
	-- When to remind: at, or the due time less before_due. Null while a
	-- before_due reminder has no due time to count from.
	remind_at  timestamptz,
	-- Waits to fire. False once it has fired for remind_at, and while the task is complete.
	armed      boolean NOT NULL,
	-- The remind_at that it has fired for.
	fired_for  timestamptz
);

--bun:split

CREATE INDEX reminders_task ON task.reminders (task_id);

--bun:split

-- What the reminder clock looks at: the next due time, however many wait.
CREATE INDEX reminders_next ON task.reminders (remind_at) WHERE armed;

--bun:split

CREATE TABLE task.idempotency_keys (
	user_id      uuid NOT NULL,
	key          text NOT NULL,
	request_hash bytea NOT NULL,
	answer       jsonb,
	created_at   timestamptz NOT NULL,
	PRIMARY KEY (user_id, key)
);

--bun:split

CREATE INDEX idempotency_keys_age ON task.idempotency_keys (created_at);
