-- Whether the task has been followed in its series: a successor that its user
-- has deleted must not come back.
ALTER TABLE task.tasks ADD COLUMN followed boolean NOT NULL DEFAULT false;

--bun:split

UPDATE task.tasks t SET followed = true WHERE EXISTS (SELECT FROM task.tasks n WHERE n.follows_id = t.id);
