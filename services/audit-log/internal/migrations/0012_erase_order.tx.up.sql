-- As in 0010, but for the order of the last two: what others did to tasks that he had made is
-- found by an index, and the lists that he was in are looked through when nothing else is left.
-- They were for each batch of it.
--
-- Erases up to so many entries of a user, and says how many: 0 when there are none left.
-- It has the rights of the tables' owner, since the service may change no entry.
--
-- What he did, and what was done with his account or in his inbox, loses its body. What
-- others did to him (made him a member, say) loses what it said of him, and what they said
-- to him in comments loses his address. Where there is his id, there is the pseudonym.
CREATE OR REPLACE FUNCTION audit.erase(of_user uuid, pseudonym uuid, addresses text[], inbox uuid, other_inbox uuid, most int) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
	n       int;
	his     CONSTANT text := of_user::text;
	-- Any of his addresses, as a regular expression; what never occurs where there is none.
	address CONSTANT text := coalesce((SELECT string_agg(regexp_replace(a, '([^[:alnum:]@])', '\\\1', 'g'), '|') FROM unnest(addresses) a), '^\M');
BEGIN
	-- Until the end of the transaction, in which the caller can still change nothing else.
	PERFORM set_config('audit.erasing', 'on', true);
	UPDATE audit.entries e SET erased = true, actor_email = '', before = NULL, after = NULL, ip = '', user_agent = '', request_id = '', trace_id = '',
		actor_id = pseudonym, user_id = CASE WHEN e.user_id = of_user THEN pseudonym ELSE e.user_id END,
		list_id = CASE WHEN e.list_id = inbox THEN other_inbox ELSE e.list_id END,
		target = CASE WHEN e.target LIKE 'invitation/%' THEN 'invitation/' ELSE replace(replace(e.target, his, pseudonym::text), inbox::text, other_inbox::text) END
	WHERE e.id IN (SELECT id FROM audit.entries WHERE actor_id = of_user LIMIT most);
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN RETURN n; END IF;

	UPDATE audit.entries e SET erased = true, actor_email = '', before = NULL, after = NULL, ip = '', user_agent = '', request_id = '', trace_id = '',
		user_id = CASE WHEN e.user_id = of_user THEN pseudonym ELSE e.user_id END, list_id = CASE WHEN e.list_id = inbox THEN other_inbox ELSE e.list_id END,
		target = replace(replace(e.target, his, pseudonym::text), inbox::text, other_inbox::text)
	WHERE e.id IN (SELECT id FROM audit.entries WHERE user_id = of_user AND list_id IS NULL UNION SELECT id FROM audit.entries WHERE list_id = inbox LIMIT most);
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN RETURN n; END IF;

	UPDATE audit.entries e SET erased = true, before = NULL, after = NULL, target = CASE WHEN e.target LIKE 'user/%' THEN 'user/' || pseudonym ELSE 'invitation/' END
	WHERE e.id IN (
		SELECT id FROM audit.entries WHERE lower(target) = ANY ('user/' || his || (SELECT coalesce(array_agg('invitation/' || lower(a)), '{}') FROM unnest(addresses) a))
			AND (target LIKE 'user/%' OR target LIKE 'invitation/%') LIMIT most);
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN RETURN n; END IF;

	-- What others did to tasks that he had made.
	UPDATE audit.entries e SET erased = true, user_id = pseudonym,
		before = CASE WHEN e.before #>> '{author,user_id}' = his THEN NULL ELSE regexp_replace(replace(e.before::text, his, pseudonym::text), address, 'former member', 'gi')::jsonb END,
		after  = CASE WHEN e.after #>> '{author,user_id}' = his THEN NULL ELSE regexp_replace(replace(e.after::text, his, pseudonym::text), address, 'former member', 'gi')::jsonb END
	WHERE e.id IN (SELECT id FROM audit.entries WHERE user_id = of_user LIMIT most);
	GET DIAGNOSTICS n = ROW_COUNT;
	IF n > 0 THEN RETURN n; END IF;

	-- In the lists that he was in: the pseudonym has done something there by now.
	UPDATE audit.entries e SET erased = true,
		before = CASE WHEN e.before #>> '{author,user_id}' = his THEN NULL ELSE regexp_replace(replace(e.before::text, his, pseudonym::text), address, 'former member', 'gi')::jsonb END,
		after  = CASE WHEN e.after #>> '{author,user_id}' = his THEN NULL ELSE regexp_replace(replace(e.after::text, his, pseudonym::text), address, 'former member', 'gi')::jsonb END
	WHERE e.id IN (
		SELECT o.id FROM (SELECT DISTINCT list_id FROM audit.entries WHERE actor_id = pseudonym AND list_id IS NOT NULL) l JOIN audit.entries o ON o.list_id = l.list_id
		WHERE (o.before IS NOT NULL OR o.after IS NOT NULL) AND (strpos(o.before::text, his) > 0 OR strpos(o.after::text, his) > 0 OR o.before::text ~* address OR o.after::text ~* address) LIMIT most);
	GET DIAGNOSTICS n = ROW_COUNT;
	RETURN n;
END $$;
