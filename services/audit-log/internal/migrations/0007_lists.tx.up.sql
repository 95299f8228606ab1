-- The list that it happened in: its members of today read it, and they alone. Null for
-- what happened to an account and for what was recorded before there were lists: that is
-- user_id's to read.
ALTER TABLE audit.entries ADD COLUMN list_id uuid;
