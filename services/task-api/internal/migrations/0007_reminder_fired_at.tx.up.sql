-- When a reminder fired, which may be long after what it was set for (fired_for):
-- users set reminders for the past, and outages end.
ALTER TABLE task.reminders ADD COLUMN fired_at timestamptz;
