-- Somebody who has signed in, in one browser or by one client, until he signs out, or has
-- not come for 30 days.
CREATE TABLE task.sessions (
	id           uuid PRIMARY KEY,
	user_id      uuid NOT NULL,
	-- SHA-256 of what the cookie says.
	secret       bytea NOT NULL,
	device       text NOT NULL, -- as its User-Agent calls it
	ip           text NOT NULL, -- where he signed in from
	created_at   timestamptz NOT NULL,
	last_seen_at timestamptz NOT NULL, -- to the minute
	expires_at   timestamptz NOT NULL
);

--bun:split

CREATE UNIQUE INDEX sessions_secret ON task.sessions (secret);

--bun:split

CREATE INDEX sessions_of_user ON task.sessions (user_id, last_seen_at, id);

--bun:split

CREATE INDEX sessions_expiry ON task.sessions (expires_at);
