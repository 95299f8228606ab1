-- What the clock in the task's zone showed at due_at, and at a fixed reminder's moment,
-- when that was worked out: "2027-07-01T09:00:00+02:00[Europe/Berlin]" (RFC 9557). The
-- laws of a zone change; what was meant is the time on the wall, and by this it is
-- found again (task-api rezone). A version that does not know these columns changes the
-- moment or the zone and leaves them behind: they count only where they say the same.
ALTER TABLE task.tasks ADD COLUMN due_wall text;

--bun:split

ALTER TABLE task.reminders ADD COLUMN at_wall text;
