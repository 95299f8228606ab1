-- What a user sees in the application. The id is that of the in_app delivery
-- it came from, so that it can exist only once.
CREATE TABLE notification.notifications (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL,
    task_id      uuid NOT NULL,
    reminder_id  uuid NOT NULL,
    title        text NOT NULL,
    due_at       timestamptz,
    remind_at    timestamptz NOT NULL,
    delivered_at timestamptz NOT NULL,
    late_ms      bigint NOT NULL,
    read_at      timestamptz,
    created_at   timestamptz NOT NULL
);
--bun:split
CREATE INDEX notifications_newest ON notification.notifications (user_id, created_at DESC, id DESC);
--bun:split
CREATE INDEX notifications_unread ON notification.notifications (user_id, created_at DESC, id DESC) WHERE read_at IS NULL;
