-- What is old and may go. Not in a transaction, so that deliveries go on
-- meanwhile; a migration that was killed leaves an invalid index behind.
DROP INDEX CONCURRENTLY IF EXISTS notification.deliveries_age;
--bun:split
CREATE INDEX CONCURRENTLY deliveries_age ON notification.deliveries (created_at) WHERE state <> 'pending';
