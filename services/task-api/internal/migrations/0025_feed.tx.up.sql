-- What has changed in a list: a row for each thing, not for each change, with the
-- transaction that changed it last. A reader knows what is settled by the oldest one under
-- way (ADR 0015). Triggers write it, so that it has whatever anybody changes, the version
-- before included.
CREATE TABLE task.feed (
	-- The list; of what is a user's own, such as his memberships, the user.
	list_id   uuid NOT NULL,
	kind      text NOT NULL, -- task, list, member or comment
	entity_id uuid NOT NULL,
	changed   xid8 NOT NULL,
	gone      boolean NOT NULL,
	at        timestamptz NOT NULL,
	PRIMARY KEY (list_id, kind, entity_id)
);

--bun:split

CREATE INDEX feed_of_list ON task.feed (list_id, changed, kind, entity_id);

--bun:split

CREATE INDEX feed_changed ON task.feed (changed);

--bun:split

CREATE INDEX feed_gone ON task.feed (at) WHERE gone;

--bun:split

-- Which log the places in the feed are of. Another cluster counts its transactions anew,
-- and so does one that was restored: then it is another log.
CREATE TABLE task.feed_log (
	single  boolean PRIMARY KEY DEFAULT true CHECK (single), -- there is one row
	id      uuid NOT NULL,
	cluster text NOT NULL,
	-- Below this place things that are gone have been forgotten.
	floor   xid8 NOT NULL
);

--bun:split

INSERT INTO task.feed_log (id, cluster, floor) VALUES (gen_random_uuid(), '', '0');

--bun:split

-- Owned by who owns the tables: the version before has no rights on them. In PL/pgSQL, which
-- plans the statement once for a connection; one in SQL is planned anew in each transaction,
-- for longer than it takes.
CREATE FUNCTION task.tell(of_list uuid, of_kind text, entity uuid, is_gone boolean) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	INSERT INTO task.feed AS f (list_id, kind, entity_id, changed, gone, at) VALUES (of_list, of_kind, entity, pg_current_xact_id(), is_gone, now())
	ON CONFLICT (list_id, kind, entity_id) DO UPDATE SET changed = EXCLUDED.changed, gone = EXCLUDED.gone, at = EXCLUDED.at
	WHERE f.changed <> EXCLUDED.changed OR f.gone <> EXCLUDED.gone;
END $$;

--bun:split

CREATE FUNCTION task.tell_task() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND OLD.list_id IS DISTINCT FROM NEW.list_id THEN
		PERFORM task.tell(OLD.list_id, 'task', OLD.id, true) WHERE OLD.list_id IS NOT NULL;
		PERFORM task.tell(OLD.list_id, 'comment', c.id, true) FROM task.comments c WHERE c.task_id = OLD.id AND OLD.list_id IS NOT NULL ORDER BY c.id;
	END IF;
	IF TG_OP = 'DELETE' THEN
		RETURN OLD;
	END IF;
	PERFORM task.tell(NEW.list_id, 'task', NEW.id, false);
	IF TG_OP = 'UPDATE' AND OLD.list_id IS DISTINCT FROM NEW.list_id THEN
		PERFORM task.tell(NEW.list_id, 'comment', c.id, false) FROM task.comments c WHERE c.task_id = NEW.id ORDER BY c.id;
	END IF;
	RETURN NEW;
END $$;

--bun:split

CREATE TRIGGER tell_of_new AFTER INSERT ON task.tasks FOR EACH ROW EXECUTE FUNCTION task.tell_task();

--bun:split

CREATE TRIGGER tell_of_change AFTER UPDATE ON task.tasks FOR EACH ROW
	WHEN (OLD.version <> NEW.version OR OLD.list_id IS DISTINCT FROM NEW.list_id) EXECUTE FUNCTION task.tell_task();

--bun:split

-- Before: its comments go with it.
CREATE TRIGGER tell_of_end BEFORE DELETE ON task.tasks FOR EACH ROW EXECUTE FUNCTION task.tell_task();

--bun:split

CREATE FUNCTION task.tell_comment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM task.tell(t.list_id, 'comment', OLD.id, true) FROM task.tasks t WHERE t.id = OLD.task_id;
	ELSE
		PERFORM task.tell(t.list_id, 'comment', NEW.id, false) FROM task.tasks t WHERE t.id = NEW.task_id;
	END IF;
	RETURN NULL;
END $$;

--bun:split

CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON task.comments FOR EACH ROW EXECUTE FUNCTION task.tell_comment();

--bun:split

CREATE FUNCTION task.tell_list() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	PERFORM task.tell(NEW.id, 'list', NEW.id, false);
	RETURN NULL;
END $$;

--bun:split

CREATE TRIGGER tell AFTER INSERT OR UPDATE ON task.lists FOR EACH ROW EXECUTE FUNCTION task.tell_list();

--bun:split

-- A membership is in the list, and among what is its member's own.
CREATE FUNCTION task.tell_member() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		PERFORM task.tell(OLD.list_id, 'member', OLD.user_id, true), task.tell(OLD.user_id, 'list', OLD.list_id, true);
		RETURN NULL;
	END IF;
	PERFORM task.tell(NEW.list_id, 'member', NEW.user_id, false);
	IF TG_OP = 'INSERT' OR OLD.trashed <> NEW.trashed THEN
		PERFORM task.tell(NEW.user_id, 'list', NEW.list_id, NEW.trashed);
	ELSE
		-- What the member himself has put it under, or where, is in the list as he sees it.
		PERFORM task.tell(NEW.list_id, 'list', NEW.list_id, false);
	END IF;
	RETURN NULL;
END $$;

--bun:split

CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON task.members FOR EACH ROW EXECUTE FUNCTION task.tell_member();
