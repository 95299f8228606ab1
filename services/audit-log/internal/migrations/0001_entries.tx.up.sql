CREATE TABLE audit.entries (
	-- The event's id.
	id          uuid PRIMARY KEY,
	-- The event's place in the log, zero-padded: sorts as it happened.
	sequence    text NOT NULL,
	occurred_at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL,
	-- Whose thing was changed; who may read the entry.
	user_id     uuid NOT NULL,
	actor_id    uuid NOT NULL,
	actor_email text NOT NULL,
	action      text NOT NULL,
	target      text NOT NULL,
	-- Null for what happened to an account.
	task_id     uuid,
	before      jsonb,
	after       jsonb,
	changed     text[] NOT NULL,
	ip          text NOT NULL,
	user_agent  text NOT NULL,
	request_id  text NOT NULL,
	trace_id    text NOT NULL
);

--bun:split

CREATE INDEX entries_user ON audit.entries (user_id, occurred_at, sequence);

--bun:split

CREATE INDEX entries_task ON audit.entries (task_id, occurred_at, sequence) WHERE task_id IS NOT NULL;

--bun:split

-- The service's role has no right to change an entry. This holds for those who
-- have: the owner, an operator's slip.
CREATE FUNCTION audit.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'audit entries are never changed or deleted' USING ERRCODE = 'insufficient_privilege';
END $$;

--bun:split

CREATE TRIGGER entries_stay BEFORE UPDATE OR DELETE ON audit.entries FOR EACH ROW EXECUTE FUNCTION audit.refuse();

--bun:split

CREATE TRIGGER entries_are_kept BEFORE TRUNCATE ON audit.entries FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse();
