-- A delivery is one reminder on its way through one channel.
--
-- next_attempt_at is when somebody should look at a pending row next. A worker
-- that claims the row moves it on by the length of its lease, so a worker that
-- dies needs no one to notice: the row becomes due again. claim is the fence:
-- what a worker writes about a row counts only while the row still carries the
-- worker's own claim.
CREATE TABLE notification.deliveries (
    id               uuid PRIMARY KEY,
    reminder_id      uuid NOT NULL,
    remind_at        timestamptz NOT NULL,
    channel          text NOT NULL CHECK (channel IN ('email', 'in_app')),
    user_id          uuid NOT NULL,
    task_id          uuid NOT NULL,
    title            text NOT NULL,
    due_at           timestamptz,
    timezone         text NOT NULL,
    event_at         timestamptz NOT NULL,
    trace_id         text NOT NULL DEFAULT '',
    state            text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed', 'cancelled')),
    reason           text NOT NULL DEFAULT '',
    attempts         integer NOT NULL DEFAULT 0,
    claim            uuid,
    next_attempt_at  timestamptz NOT NULL,
    first_attempt_at timestamptz,
    last_error       text NOT NULL DEFAULT '',
    sent_at          timestamptz,
    lateness_ms      bigint,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    -- A reminder that is published again finds its row here: one effect.
    UNIQUE (reminder_id, remind_at, channel)
);
--bun:split
CREATE INDEX deliveries_due ON notification.deliveries (channel, next_attempt_at) WHERE state = 'pending';
--bun:split
CREATE INDEX deliveries_task ON notification.deliveries (task_id) WHERE state = 'pending';
