-- The way to what there is of somebody who is erased. Not in a transaction, so that the
-- ledger goes on meanwhile; a migration that was killed leaves an invalid index behind.
DROP INDEX CONCURRENTLY IF EXISTS recurring.occurrences_of_user;
--bun:split
CREATE INDEX CONCURRENTLY occurrences_of_user ON recurring.occurrences (user_id);
