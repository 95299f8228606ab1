DROP INDEX CONCURRENTLY IF EXISTS notification.notifications_age;
--bun:split
CREATE INDEX CONCURRENTLY notifications_age ON notification.notifications (created_at);
