package erasure

// Tables is the SQL of what a consumer keeps of accounts that were erased, for a migration
// that follows subscribe.Letters; %[1]s is the schema. The service's role needs SELECT,
// INSERT and UPDATE on erased, and EXECUTE on erase_letters(text).
//
// erase_letters empties the dead letters in which something occurs. They stay, as decided
// by an operator that they shall have no effect: of an event that was told and has neither
// effect nor letter, reconcile says that it is lost. It has the rights of the tables'
// owner, since the service may change no dead letter.
const Tables = `
CREATE TABLE %[1]s.erased (
	-- SHA-256 of the id of a user, or of a list that has gone with one.
	id        bytea PRIMARY KEY,
	told_at   timestamptz NOT NULL,
	-- When all of it was gone, which acknowledges it. From then on the rest is null.
	done_at   timestamptz,
	kind      text CHECK (kind IN ('user', 'list')),
	subject   uuid,
	-- What stands for the user where an id has to: random, and known to nobody afterwards.
	pseudonym uuid,
	addresses text[],
	CHECK (done_at IS NOT NULL OR (kind IS NOT NULL AND subject IS NOT NULL AND pseudonym IS NOT NULL))
);
CREATE INDEX erased_undone ON %[1]s.erased (told_at) WHERE done_at IS NULL;

CREATE FUNCTION %[1]s.erase_letters(needle text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
	WITH found AS (
		SELECT l.id, l.resolved_at IS NULL AS open FROM %[1]s.dead_letters l
		WHERE octet_length(l.payload) > 0 AND (l.key = needle OR strpos(lower(encode(l.payload, 'escape')), lower(needle)) > 0) FOR UPDATE
	), emptied AS (
		UPDATE %[1]s.dead_letters l SET payload = '', metadata = '{}', reason = 'of an account that was erased',
			resolved_at = coalesce(l.resolved_at, now()), resolution = coalesce(l.resolution, 'discarded')
		FROM found WHERE l.id = found.id
	)
	INSERT INTO %[1]s.dead_letter_acts (dead_letter_id, act, operator, reason, outcome, at)
	SELECT id, 'discard', 'erasure', 'the account was erased', 'resolved', now() FROM found WHERE open;
END $$;
REVOKE EXECUTE ON FUNCTION %[1]s.erase_letters(text) FROM PUBLIC;
`
