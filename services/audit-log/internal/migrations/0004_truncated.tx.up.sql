-- The fields of before and after that were shortened to fit an event.
ALTER TABLE audit.entries ADD COLUMN truncated text[] NOT NULL DEFAULT '{}';
