-- Who an OpenID provider says that a user is.
CREATE TABLE task.identities (
	id         uuid PRIMARY KEY,
	user_id    uuid NOT NULL,
	-- Together, and nothing else, they are who it is: addresses change hands.
	issuer     text NOT NULL,
	subject    text NOT NULL,
	email      text NOT NULL, -- what the provider called him by then, for him to tell them apart
	created_at timestamptz NOT NULL
);

--bun:split

CREATE UNIQUE INDEX identities_of_issuer ON task.identities (issuer, subject);

--bun:split

CREATE INDEX identities_of_user ON task.identities (user_id, created_at, id);
