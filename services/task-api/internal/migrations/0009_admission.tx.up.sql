-- Attempts to sign in and to register, counted for all replicas: in this window
-- and in the one before. The key is a hash of what is counted. Not logged: after
-- a crash the counts begin anew, and no attempt waits for the disk.
CREATE UNLOGGED TABLE task.attempts (
	key      text PRIMARY KEY,
	since    timestamptz NOT NULL,
	-- When the row counts for nothing any more, and is deleted.
	until    timestamptz NOT NULL,
	count    integer NOT NULL,
	previous integer NOT NULL,
	-- How many of this window were refused; and whether the last one was not.
	refused  integer NOT NULL,
	admitted boolean NOT NULL
);

--bun:split

CREATE INDEX attempts_until ON task.attempts (until);

--bun:split

-- When the token was issued that a user of an outside issuer has his address
-- from: an older token does not bring an older address back.
ALTER TABLE task.users ADD COLUMN email_as_of timestamptz;
