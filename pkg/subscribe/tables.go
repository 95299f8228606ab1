package subscribe

// Tables is the SQL that creates a consumer's inbox and dead letters in its
// schema, for its migration; %[1]s is the schema. The service's role needs
// SELECT, INSERT, UPDATE and DELETE on the inbox; on the dead letters SELECT, INSERT
// and UPDATE of what Letters adds and of the reason: they stay as they came.
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

// Progress is the SQL of how far each topic is handled, for a migration that
// follows Tables; %[1]s is the schema. The service's role needs SELECT, INSERT
// and UPDATE on it.
const Progress = `
CREATE TABLE %[1]s.progress (
	topic text PRIMARY KEY,
	up_to timestamptz NOT NULL -- when the newest event happened that was handled
);
`

// Letters is the SQL of what operators do with dead letters, for a migration
// that follows Tables; %[1]s is the schema. The service's role needs SELECT and
// INSERT on dead_letter_acts, and nothing else there: what was done stays on
// record.
const Letters = `
ALTER TABLE %[1]s.dead_letters
	ADD COLUMN resolved_at timestamptz,
	ADD COLUMN resolution text CHECK (resolution IN ('replayed', 'discarded')),
	ADD CONSTRAINT dead_letters_resolved CHECK ((resolved_at IS NULL) = (resolution IS NULL));
CREATE INDEX dead_letters_open ON %[1]s.dead_letters (id) WHERE resolved_at IS NULL;
CREATE TABLE %[1]s.dead_letter_acts (
	id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	dead_letter_id bigint NOT NULL REFERENCES %[1]s.dead_letters (id),
	-- A letter is reopened by its record: when that comes again, and is poison again.
	act            text NOT NULL CHECK (act IN ('replay', 'discard', 'reopen')),
	operator       text NOT NULL,
	-- Why it was discarded, or why the replay failed.
	reason         text NOT NULL,
	outcome        text NOT NULL CHECK (outcome IN ('resolved', 'failed', 'open')),
	at             timestamptz NOT NULL
);
CREATE INDEX dead_letter_acts_letter ON %[1]s.dead_letter_acts (dead_letter_id, id);
`
