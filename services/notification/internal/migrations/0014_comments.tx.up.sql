-- Who is told of a comment has a notification that is of no reminder. Its id is that of the
-- event. The version before reads it as one of the nil UUID, and marks it as any other.
ALTER TABLE notification.notifications
    ALTER COLUMN reminder_id DROP NOT NULL, ALTER COLUMN remind_at DROP NOT NULL,
    ADD COLUMN kind text NOT NULL DEFAULT 'reminder',
    ADD COLUMN comment_id uuid,
    ADD COLUMN author jsonb,
    ADD COLUMN mentioned boolean NOT NULL DEFAULT false;
