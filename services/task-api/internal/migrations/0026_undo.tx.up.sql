-- What a request has changed is found in the event log: its events have the moment at
-- which their transaction began, and these are rows for each moment at which one began
-- that was of the request.
CREATE TABLE task.operations (
	user_id     uuid NOT NULL,
	request_id  text NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT now(),
	-- The request that the events name, where this one repeated it; null for itself.
	logged_as   text,
	PRIMARY KEY (user_id, request_id, recorded_at)
);

--bun:split

CREATE INDEX operations_age ON task.operations (recorded_at);

--bun:split

-- Texts that are too long for an event, whole.
CREATE TABLE task.cut_texts (
	recorded_at timestamptz NOT NULL DEFAULT now(), -- as in the event
	entity_id   uuid NOT NULL,                      -- the task, or the comment
	version     bigint NOT NULL,                    -- of the task then; 0 for a comment
	before      text NOT NULL,
	after       text NOT NULL,
	PRIMARY KEY (recorded_at, entity_id, version)
);

--bun:split

-- A task that its series has let go: it was skipped, or taken back. Nobody has thrown it
-- away, and it is not shown; it is kept for whoever undoes that.
ALTER TABLE task.trash ADD COLUMN let_go boolean NOT NULL DEFAULT false;

--bun:split

-- Who repeats a request may undo it by the id of either.
ALTER TABLE task.idempotency_keys ADD COLUMN request_id text, ADD COLUMN recorded_at timestamptz NOT NULL DEFAULT now();
