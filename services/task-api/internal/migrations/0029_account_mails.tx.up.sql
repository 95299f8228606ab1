-- verified: that it was shown whose the address is. Of accounts of before, and of those that
-- the version before makes meanwhile, that is taken for granted. blocked_at: by an operator.
ALTER TABLE task.users ADD COLUMN verified boolean NOT NULL DEFAULT true, ADD COLUMN blocked_at timestamptz;

--bun:split

-- A mail about an account that is to be sent. What it says is known when it is sent; its
-- secret lies nowhere, only SHA-256 of it.
CREATE TABLE task.account_mails (
	id         uuid PRIMARY KEY,
	kind       text NOT NULL,
	user_id    uuid, -- null where nobody has looked yet whose the address is
	address    text NOT NULL,
	about      jsonb NOT NULL, -- see account.about
	-- Of the secrets in the mails that were sent: a mail may be sent again.
	secrets    bytea[] NOT NULL DEFAULT '{}',
	created_at timestamptz NOT NULL,
	expires_at timestamptz, -- of the secret
	used_at    timestamptz
);

--bun:split

CREATE INDEX account_mails_age ON task.account_mails (created_at, id);

--bun:split

CREATE INDEX account_mails_of_user ON task.account_mails (user_id);
