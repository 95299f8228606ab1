-- When an account is to be erased, whose user has asked for it, and the addresses that it had
-- before the one that it has: others may have written them.
ALTER TABLE task.users ADD COLUMN erase_at timestamptz, ADD COLUMN former_emails text[] NOT NULL DEFAULT '{}';

--bun:split

-- Accounts that are being erased, and those that were: of these the hash of the id alone.
CREATE TABLE task.erasures (
	-- SHA-256 of the user's id.
	id       bytea PRIMARY KEY,
	began_at timestamptz NOT NULL,
	done_at  timestamptz,
	-- From here on all is null once it is done.
	user_id  uuid,
	-- What is looked for in what others keep. An account that has begun to go has neither.
	emails   text[],
	name     text,
	-- How far it is: the step, and the last row that the step has looked at.
	step     smallint,
	reached  uuid,
	reached_at timestamptz,
	reached_position bigint,
	CHECK ((done_at IS NULL) = (user_id IS NOT NULL))
);

--bun:split

CREATE INDEX erasures_undone ON task.erasures (began_at) WHERE done_at IS NULL;

--bun:split

-- Whether a task has gone with the account whose it was: then nothing of it is to stay in
-- the event log.
ALTER TABLE task.purged ADD COLUMN with_account boolean NOT NULL DEFAULT false;
