-- What a program of a user's shows to say that it may do something for him, until it
-- expires or he revokes it.
CREATE TABLE task.api_tokens (
	id           uuid PRIMARY KEY,
	user_id      uuid NOT NULL,
	name         text NOT NULL,
	scopes       text[] NOT NULL,
	list_ids     uuid[], -- that it is restricted to; null for all of the user's
	-- SHA-256 of the token.
	secret       bytea NOT NULL,
	created_at   timestamptz NOT NULL,
	expires_at   timestamptz NOT NULL, -- it stays a while longer, for its user to see
	last_used_at timestamptz -- to the minute
);

--bun:split

CREATE UNIQUE INDEX api_tokens_secret ON task.api_tokens (secret);

--bun:split

CREATE INDEX api_tokens_of_user ON task.api_tokens (user_id, created_at, id);

--bun:split

CREATE INDEX api_tokens_expiry ON task.api_tokens (expires_at);
