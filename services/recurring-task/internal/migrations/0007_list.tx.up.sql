-- The list that the task is in, whose members may see its series. Null for what events of
-- before told, and the version before records: those are their user's alone.
ALTER TABLE recurring.occurrences ADD COLUMN list_id uuid;
