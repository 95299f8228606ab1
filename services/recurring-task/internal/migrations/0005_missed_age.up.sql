-- What is old and may go. Not in a transaction, so that the ledger goes on
-- meanwhile; a migration that was killed leaves an invalid index behind.
DROP INDEX CONCURRENTLY IF EXISTS recurring.occurrences_missed_age;
--bun:split
CREATE INDEX CONCURRENTLY occurrences_missed_age ON recurring.occurrences (updated_at) WHERE status = 'missed';
