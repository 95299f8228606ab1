-- Who is being given all that is his: one at a time for each user. Who is killed in the
-- middle leaves a row behind, which counts for nothing soon.
CREATE TABLE task.exports (
	user_id uuid PRIMARY KEY,
	export  uuid NOT NULL,
	until   timestamptz NOT NULL
);
