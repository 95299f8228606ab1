-- The second factor of who signs in with a password: an application that shows codes
-- (TOTP, RFC 6238).
CREATE TABLE task.second_factors (
	user_id      uuid PRIMARY KEY,
	-- As it is: a code is computed from it, so that a hash would not do.
	secret       text NOT NULL,
	begun_at     timestamptz NOT NULL,
	-- When a code has shown that the application has the secret; null asks for no code yet.
	confirmed_at timestamptz,
	-- The last time step whose code was accepted, which is not accepted again.
	last_step    bigint NOT NULL DEFAULT 0
);

--bun:split

-- What signs in instead of a code, each once: then its row is gone.
CREATE TABLE task.recovery_codes (
	user_id uuid NOT NULL,
	hash    bytea NOT NULL, -- SHA-256; each has 80 random bits
	PRIMARY KEY (user_id, hash)
);
