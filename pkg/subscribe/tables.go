package subscribe

// Tables is the SQL that creates a consumer's inbox and dead letters in its
// schema, for its migration; %[1]s is the schema. The service's role needs
// SELECT, INSERT, UPDATE and DELETE on both.
const Tables = `
CREATE TABLE %[1]s.inbox (
	source     text NOT NULL,
	id         text NOT NULL,
	handled_at timestamptz NOT NULL,
	PRIMARY KEY (source, id)
);
CREATE INDEX inbox_age ON %[1]s.inbox (handled_at);
CREATE TABLE %[1]s.dead_letters (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	-- A redelivery of the same record is the same dead letter.
	fingerprint bytea NOT NULL UNIQUE,
	topic       text NOT NULL,
	key         text NOT NULL,
	event_id    text NOT NULL,
	source      text NOT NULL,
	type        text NOT NULL,
	reason      text NOT NULL,
	payload     bytea NOT NULL,
	metadata    jsonb NOT NULL,
	received_at timestamptz NOT NULL
);
`
