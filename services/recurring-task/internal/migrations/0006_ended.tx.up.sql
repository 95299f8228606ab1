-- An occurrence may have ended its series, or been taken back. Not checked again for the
-- rows that are there, which the stricter rule held.
ALTER TABLE recurring.occurrences DROP CONSTRAINT occurrences_status_check,
	ADD CONSTRAINT occurrences_status_check CHECK (status IN ('open', 'done', 'skipped', 'missed', 'ended', 'taken_back')) NOT VALID;

--bun:split

-- The series has gone past it. Beside the status, which is that of its task: events of
-- several tasks arrive in any order.
ALTER TABLE recurring.occurrences ADD COLUMN passed boolean NOT NULL DEFAULT false;
