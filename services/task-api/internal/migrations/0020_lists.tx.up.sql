-- Lists, and who is a member of them. Nobody may see a task who is no member of its list.
CREATE TABLE task.lists (
	id          uuid PRIMARY KEY,
	-- Who made it. The search keys of its tasks are his, wherever he is by now.
	created_by  uuid NOT NULL,
	name        text NOT NULL,
	color       text,
	-- That of created_by, made with his first change: never shared, never deleted.
	is_inbox    boolean NOT NULL DEFAULT false,
	is_archived boolean NOT NULL DEFAULT false,
	version     bigint NOT NULL,
	created_at  timestamptz NOT NULL,
	updated_at  timestamptz NOT NULL
);

--bun:split

CREATE TABLE task.members (
	user_id    uuid NOT NULL,
	list_id    uuid NOT NULL REFERENCES task.lists (id) ON DELETE CASCADE,
	role       text NOT NULL, -- see access.Role
	-- Where the member himself has put the list.
	position   bigint NOT NULL,
	list_group text,
	since      timestamptz NOT NULL,
	PRIMARY KEY (user_id, list_id)
);

--bun:split

CREATE INDEX members_list ON task.members (list_id, user_id);

--bun:split

-- Who is invited to be a member. An address, and no account: nobody is to learn which
-- addresses have one.
CREATE TABLE task.invitations (
	id         uuid PRIMARY KEY,
	list_id    uuid NOT NULL REFERENCES task.lists (id) ON DELETE CASCADE,
	email      text NOT NULL,
	role       text NOT NULL,
	invited_by uuid NOT NULL,
	created_at timestamptz NOT NULL
);

--bun:split

CREATE UNIQUE INDEX invitations_list ON task.invitations (list_id, lower(email));

--bun:split

CREATE INDEX invitations_email ON task.invitations (lower(email), created_at, id);

--bun:split

-- The list of a task and its place there: an integer with gaps. Null only while 0021 gives
-- them to the tasks of before: the version before writes none, and the trigger does.
ALTER TABLE task.tasks ADD COLUMN list_id uuid, ADD COLUMN position bigint;

--bun:split

-- A member who is to do it.
ALTER TABLE task.tasks ADD COLUMN assignee_id uuid;

--bun:split

-- Whose reminder it is. Null for those of before, and of the version before: whoever made the task.
ALTER TABLE task.reminders ADD COLUMN user_id uuid;

--bun:split

-- The id of a user's inbox: access.Inbox in SQL, for what the version before writes. A
-- UUIDv5 (RFC 9562, section 5.5) is a SHA-1 (RFC 3174), here of one block, which Postgres
-- has only with an extension.
CREATE FUNCTION task.inbox_of(of_user uuid) RETURNS uuid LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
	mask  CONSTANT bigint := 4294967295;
	name  CONSTANT bytea := uuid_send(of_user) || 'inbox'::bytea;
	block bytea := name || '\x80'::bytea || decode(repeat('00', 55 - length(name)), 'hex') || int8send(8 * length(name));
	w bigint[]; x bigint; f bigint; k bigint;
	a bigint := 1732584193; b bigint := 4023233417; c bigint := 2562383102; d bigint := 271733878; e bigint := 3285377520;
	hash bytea;
BEGIN
	FOR i IN 0..15 LOOP
		w[i] := (get_byte(block, 4 * i)::bigint << 24) | (get_byte(block, 4 * i + 1) << 16) | (get_byte(block, 4 * i + 2) << 8) | get_byte(block, 4 * i + 3);
	END LOOP;
	FOR i IN 16..79 LOOP
		x := w[i - 3] # w[i - 8] # w[i - 14] # w[i - 16];
		w[i] := ((x << 1) | (x >> 31)) & mask;
	END LOOP;
	FOR i IN 0..79 LOOP
		CASE i / 20
			WHEN 0 THEN f := (b & c) | ((~ b) & mask & d); k := 1518500249;
			WHEN 1 THEN f := b # c # d; k := 1859775393;
			WHEN 2 THEN f := (b & c) | (b & d) | (c & d); k := 2400959708;
			ELSE f := b # c # d; k := 3395469782;
		END CASE;
		x := ((((a << 5) | (a >> 27)) & mask) + f + e + k + w[i]) & mask;
		e := d; d := c; c := ((b << 30) | (b >> 2)) & mask; b := a; a := x;
	END LOOP;
	hash := int8send((((a + 1732584193) & mask) << 32) | ((b + 4023233417) & mask)) || int8send((((c + 2562383102) & mask) << 32) | ((d + 271733878) & mask));
	hash := set_byte(hash, 6, (get_byte(hash, 6) & 15) | 80);
	hash := set_byte(hash, 8, (get_byte(hash, 8) & 63) | 128);
	RETURN encode(hash, 'hex')::uuid;
END $$;

--bun:split

-- The inbox of a user, made if it is not there. To look it up takes much less than to work
-- out its id.
CREATE FUNCTION task.make_inbox(of_user uuid) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE inbox uuid := (SELECT m.list_id FROM task.members m WHERE m.user_id = of_user AND (SELECT l.is_inbox FROM task.lists l WHERE l.id = m.list_id) LIMIT 1);
BEGIN
	IF inbox IS NOT NULL THEN
		RETURN inbox;
	END IF;
	inbox := task.inbox_of(of_user);
	INSERT INTO task.lists (id, created_by, name, is_inbox, version, created_at, updated_at) VALUES (inbox, of_user, 'Inbox', true, 1, now(), now()) ON CONFLICT DO NOTHING;
	INSERT INTO task.members (user_id, list_id, role, position, since) VALUES (of_user, inbox, 'owner', 0, now()) ON CONFLICT DO NOTHING;
	RETURN inbox;
END $$;

--bun:split

-- What the version before writes is in the list of its parent or its series, else in its
-- user's inbox. A contract migration drops this when that version can not come back.
-- It writes with the rights of its owner, since the version before has none on lists.
CREATE FUNCTION task.place() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	NEW.list_id := coalesce(
		(SELECT list_id FROM task.tasks WHERE id = NEW.parent_id),
		(SELECT list_id FROM task.tasks WHERE series_id = NEW.series_id LIMIT 1),
		task.make_inbox(NEW.user_id));
	NEW.position := coalesce(NEW.position, (extract(epoch FROM NEW.created_at) * 1000000)::bigint);
	RETURN NEW;
END $$;

--bun:split

CREATE TRIGGER place BEFORE INSERT ON task.tasks FOR EACH ROW WHEN (NEW.list_id IS NULL) EXECUTE FUNCTION task.place();

--bun:split

-- Looks only at what is written from now on.
ALTER TABLE task.tasks ADD CONSTRAINT tasks_list FOREIGN KEY (list_id) REFERENCES task.lists (id) NOT VALID;

--bun:split

-- Gives the tasks of before their list and place, some at a time: each batch is a
-- transaction, and a task that a request is changing has its turn later. A batch that took
-- longer than a request should wait is followed by a smaller one. It can be run again
-- wherever it was killed.
CREATE PROCEDURE task.place_tasks() LANGUAGE plpgsql AS $$
DECLARE
	many   int := 20; -- of a batch
	placed bigint;
	after  uuid := '00000000-0000-0000-0000-000000000000';
	last   uuid;
	began  timestamptz;
	took   interval;
BEGIN
	LOOP
		-- The inboxes come before, while no task is locked: a new one takes longer than a task.
		PERFORM task.make_inbox(u.user_id) FROM (
			SELECT DISTINCT n.user_id FROM (SELECT user_id, list_id FROM task.tasks WHERE id > after ORDER BY id LIMIT many) n WHERE n.list_id IS NULL
		) u;
		COMMIT;
		began := clock_timestamp();
		WITH next AS (
			SELECT id FROM task.tasks WHERE id > after ORDER BY id LIMIT many
		), mine AS (
			SELECT t.id, t.user_id FROM task.tasks t JOIN next USING (id) WHERE t.list_id IS NULL ORDER BY t.id FOR UPDATE OF t
		), inboxes AS MATERIALIZED (
			SELECT u.user_id, task.make_inbox(u.user_id) AS inbox FROM (SELECT DISTINCT user_id FROM mine) u
		), done AS (
			UPDATE task.tasks t SET list_id = i.inbox, position = (extract(epoch FROM t.created_at) * 1000000)::bigint
			FROM mine m JOIN inboxes i USING (user_id) WHERE t.id = m.id
		)
		SELECT count(*), (SELECT id FROM next ORDER BY id DESC LIMIT 1) INTO placed, last FROM next;
		COMMIT;
		EXIT WHEN placed = 0;
		after := last;
		took := clock_timestamp() - began;
		IF took > interval '30 milliseconds' THEN
			many := greatest(many / 2, 5);
		ELSIF took < interval '15 milliseconds' THEN
			many := least(many + 5, 100);
		END IF;
	END LOOP;
END $$;
