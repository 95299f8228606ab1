-- The request that set a reminder: the trace that leads to its mail.
ALTER TABLE task.reminders ADD COLUMN trace_parent text NOT NULL DEFAULT '';
