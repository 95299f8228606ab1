-- Every list ends its order with the id, so that a page never ends between two
-- entries that nothing else tells apart.
CREATE INDEX entries_of_user ON audit.entries (user_id, occurred_at, sequence, id);

--bun:split

CREATE INDEX entries_of_action ON audit.entries (user_id, action, occurred_at, sequence, id);

--bun:split

CREATE INDEX entries_of_task ON audit.entries (task_id, user_id, occurred_at, sequence, id) WHERE task_id IS NOT NULL;

--bun:split

DROP INDEX audit.entries_user;

--bun:split

DROP INDEX audit.entries_task;

--bun:split

-- Also where a session says that it replicates, which silences ordinary triggers.
ALTER TABLE audit.entries ENABLE ALWAYS TRIGGER entries_stay, ENABLE ALWAYS TRIGGER entries_are_kept;
