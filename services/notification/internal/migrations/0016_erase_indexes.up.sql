-- The ways to what there is of somebody who is erased, and of his tasks. Not in a
-- transaction, so that deliveries go on meanwhile; a migration that was killed leaves an
-- invalid index behind.
DROP INDEX CONCURRENTLY IF EXISTS notification.deliveries_of_user;
--bun:split
CREATE INDEX CONCURRENTLY deliveries_of_user ON notification.deliveries (user_id);
--bun:split
DROP INDEX CONCURRENTLY IF EXISTS notification.deliveries_of_task;
--bun:split
CREATE INDEX CONCURRENTLY deliveries_of_task ON notification.deliveries (task_id);
--bun:split
DROP INDEX CONCURRENTLY IF EXISTS notification.notifications_of_task;
--bun:split
CREATE INDEX CONCURRENTLY notifications_of_task ON notification.notifications (task_id);
--bun:split
DROP INDEX CONCURRENTLY IF EXISTS notification.notifications_by_author;
--bun:split
CREATE INDEX CONCURRENTLY notifications_by_author ON notification.notifications ((author ->> 'user_id')) WHERE author IS NOT NULL;
