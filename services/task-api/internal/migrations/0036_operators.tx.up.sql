-- Who sees the operator's corner.
ALTER TABLE task.users ADD COLUMN operator boolean NOT NULL DEFAULT false;

--bun:split

-- What each check of the last reconcile found; empty until one was kept.
ALTER TABLE task.reconciled ADD COLUMN checks jsonb NOT NULL DEFAULT '[]';
