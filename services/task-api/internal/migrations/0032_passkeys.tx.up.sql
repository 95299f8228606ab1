-- Keys that sign a user in, on his devices (WebAuthn).
CREATE TABLE task.passkeys (
	id              uuid PRIMARY KEY,
	user_id         uuid NOT NULL,
	name            text NOT NULL, -- as its owner calls it
	credential      bytea NOT NULL, -- its id, as the device knows it
	public_key      bytea NOT NULL, -- COSE
	-- How often it has signed; 0 for keys that do not count, as those that are synchronised.
	sign_count      bigint NOT NULL,
	backup_eligible boolean NOT NULL,
	backed_up       boolean NOT NULL,
	transports      text[] NOT NULL, -- by which the device is reached, for browsers
	created_at      timestamptz NOT NULL,
	last_used_at    timestamptz
);

--bun:split

CREATE UNIQUE INDEX passkeys_credential ON task.passkeys (credential);

--bun:split

CREATE INDEX passkeys_of_user ON task.passkeys (user_id, created_at, id);

--bun:split

-- What a browser was asked to sign, until it has, or five minutes have passed.
CREATE TABLE task.ceremonies (
	challenge  text PRIMARY KEY,
	user_id    uuid, -- whose key is made; null where somebody signs in
	session    jsonb NOT NULL, -- what the answer is held against
	expires_at timestamptz NOT NULL
);

--bun:split

CREATE INDEX ceremonies_expiry ON task.ceremonies (expires_at);
