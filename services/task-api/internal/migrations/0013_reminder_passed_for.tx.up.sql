-- The remind_at for which a reminder will not fire: it was past when it was set,
-- beside a later one of its task that was past, too, or its task was done at the
-- time. Null for all others, and for those of the version before.
ALTER TABLE task.reminders ADD COLUMN passed_for timestamptz;
