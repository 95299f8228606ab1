-- How the last reconcile ended. A suite that has just been made has no gaps.
CREATE TABLE task.reconciled (
	single   boolean PRIMARY KEY DEFAULT true CHECK (single), -- there is one row
	ended_at timestamptz NOT NULL,
	gaps     bigint NOT NULL
);

--bun:split

INSERT INTO task.reconciled (ended_at, gaps) VALUES (now(), 0);
