package trail_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/audit-log/internal/trail"
)

// erase does all that there is to erase, as the service does.
func (s *service) erase() {
	s.t.Helper()
	eraser := trail.NewEraser(s.db, func() time.Time { return now.Add(time.Minute) }, slog.New(slog.DiscardHandler))
	for {
		more, err := eraser.Erase(context.Background())
		require.NoError(s.t, err)
		if !more {
			return
		}
	}
}

// found says in how many rows of the service's tables a text is.
func (s *service) found(text string) int {
	s.t.Helper()
	var n int
	require.NoError(s.t, s.owner.NewRaw(`SELECT (SELECT count(*) FROM audit.entries x WHERE x::text ILIKE ?0) + (SELECT count(*) FROM audit.erased x WHERE x::text ILIKE ?0)
		+ (SELECT count(*) FROM audit.dead_letters x WHERE x::text ILIKE ?0 OR encode(payload, 'escape') ILIKE ?0)`, "%"+text+"%").Scan(context.Background(), &n))
	return n
}

// by is the change as another's, who has an address.
func (c change) by(actor uuid.UUID, email string) change {
	c.data.Actor = event.Actor{UserID: actor, Email: email}
	return c
}

// says is the change with other states before and after.
func (c change) says(before, after string) change {
	c.data.Before, c.data.After = json.RawMessage(before), json.RawMessage(after)
	return c
}

func erased(user uuid.UUID) change {
	c := newChange(user, uuid.Nil, event.UserErased, 0).by(user, "").says("null", "null")
	c.data.IP, c.data.UserAgent, c.data.RequestID = "", "", ""
	return c
}

func TestWhoIsErasedIsGoneAndTheTrailIsWhole(t *testing.T) {
	s := newService(t)
	ada, bob, shared, gone := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	inbox := event.InboxID(ada)
	hers, his, private, lost := uuid.New(), uuid.New(), uuid.New(), uuid.New()
	const bobs = "bob@example.com"
	invited := newChange(bob, uuid.Nil, "member.invited", time.Hour).in(shared).by(bob, bobs).says("null", `{"email":"Ada@Example.com"}`)
	invited.data.Target = "invitation/Ada@Example.com"
	joined := newChange(ada, uuid.Nil, "member.joined", 50*time.Minute).in(shared).says("null", `{"user_id":"`+ada.String()+`","email":"ada@example.com"}`)
	role := newChange(bob, uuid.Nil, "member.updated", 49*time.Minute).in(shared).by(bob, bobs).says(`{"email":"ada@example.com"}`, `{"email":"ada@example.com"}`)
	role.data.Target = "user/" + ada.String()
	mention := newChange(bob, hers, "comment.created", 48*time.Minute).in(shared).by(bob, bobs).says("null", `{"author":{"user_id":"`+bob.String()+`"},"text":"see here @ADA@example.com, please"}`)
	struck := newChange(bob, hers, "comment.deleted", 47*time.Minute).in(shared).by(bob, bobs).says(`{"author":{"user_id":"`+ada.String()+`"},"text":"her words"}`, "null")
	purged := newChange(ada, uuid.Nil, event.ListPurged, 0).in(gone).by(ada, "")
	purged.data.Metadata[event.MetaErased] = true
	of := []change{
		newChange(ada, uuid.Nil, "user.registered", 2*time.Hour), newChange(ada, private, "task.created", 2*time.Hour).in(inbox), invited, joined, role, mention, struck,
		newChange(ada, hers, "task.created", 40*time.Minute).in(shared),
		newChange(ada, hers, "task.updated", 30*time.Minute).in(shared).by(bob, bobs).says(`{"user_id":"`+ada.String()+`","title":"tea"}`, `{"title":"bobs tea"}`),
		newChange(bob, his, "task.created", 20*time.Minute).in(shared).by(bob, bobs).says("null", `{"title":"bobs own"}`),
		newChange(ada, lost, "task.updated", 10*time.Minute).in(gone).by(bob, bobs).says(`{"title":"her secret"}`, `{"title":"her secret too"}`),
	}
	s.keep(of...)
	before := s.by(shared).all(bob, "/api/audit?list_id="+shared.String(), func() {})

	s.keep(purged, erased(ada))
	s.erase()

	for _, text := range []string{"ada@example.com", ada.String(), inbox.String(), "her words", "her secret", "coffee"} {
		require.Zero(t, s.found(text), text)
	}
	require.Equal(t, before, s.by(shared).all(bob, "/api/audit?list_id="+shared.String(), func() {}), "the order, and that nothing is missing")
	require.Equal(t, len(of)+2, s.count("entries"))
	var history answered
	s.by(shared).get(bob, "/api/tasks/"+hers.String()+"/history", http.StatusOK, &history)
	byAction := map[string]map[string]any{}
	for _, item := range history.Items {
		byAction[item["action"].(string)] = item
	}
	created, updated := byAction["task.created"], byAction["task.updated"]
	require.Equal(t, "", created["actor"].(map[string]any)["email"])
	require.Nil(t, created["after"])
	require.Equal(t, true, created["erased"])
	require.Equal(t, map[string]any{"user_id": bob.String(), "email": bobs}, updated["actor"], "what others did is theirs")
	require.Equal(t, "bobs tea", updated["after"].(map[string]any)["title"])
	require.Equal(t, "see here @former member, please", byAction["comment.created"]["after"].(map[string]any)["text"])

	// What comes later brings nothing back: out of the broker, or by a replay that the inbox does not know.
	late := newChange(ada, uuid.Nil, "user.signed_in", time.Hour)
	lateInbox := newChange(ada, private, "task.updated", time.Hour).in(inbox)
	lateShared := newChange(ada, hers, "task.updated", time.Hour).in(shared)
	lateRole, lateStruck := role, struck
	lateRole.id, lateStruck.id = uuid.New(), uuid.New()
	s.keep(late, lateInbox, lateShared, lateRole, lateStruck, erased(ada))
	s.erase()
	for _, text := range []string{"ada@example.com", ada.String(), inbox.String(), "her words", "coffee"} {
		require.Zero(t, s.found(text), text)
	}
}

// Who may erase in the trail can do nothing else to it.
func TestErasingIsTheOnlyChangeOfAnEntry(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	s.keep(newChange(ada, uuid.Nil, "user.registered", time.Hour))
	for name, statement := range map[string]string{
		"a change":                "UPDATE audit.entries SET erased = true",
		"a change of the header":  "SET audit.erasing = 'on'; UPDATE audit.entries SET erased = true, action = 'user.updated'; RESET audit.erasing",
		"a change that is no end": "SET audit.erasing = 'on'; UPDATE audit.entries SET actor_email = 'eve@example.com'; RESET audit.erasing",
		"a deletion":              "SET audit.erasing = 'on'; DELETE FROM audit.entries; RESET audit.erasing",
	} {
		_, err := s.owner.ExecContext(context.Background(), statement)
		require.ErrorContains(t, err, "never changed or deleted", name)
	}
	_, err := s.db.ExecContext(context.Background(), "UPDATE audit.entries SET erased = true")
	require.ErrorContains(t, err, "permission denied")
}

// A dead letter of who is erased stays as one that is decided, and says nothing any more.
func TestDeadLettersOfWhoIsErasedSayNothing(t *testing.T) {
	s := newService(t)
	ada := uuid.New()
	bad := newChange(ada, uuid.Nil, "", time.Hour) // without an action
	require.Equal(t, []string{"SUCCESS"}, s.deliver(s.router, bad.record(t)))
	require.Equal(t, 1, s.found("ada@example.com"))
	good := newChange(ada, uuid.Nil, "user.registered", time.Hour)
	for _, c := range []change{good, erased(ada)} {
		require.Equal(t, []string{"SUCCESS"}, s.deliver(s.router, c.record(t)))
	}
	s.erase()
	require.Zero(t, s.found("ada@example.com"))
	var resolution string
	require.NoError(t, s.db.NewRaw("SELECT resolution FROM audit.dead_letters").Scan(context.Background(), &resolution))
	require.Equal(t, "discarded", resolution)

	// Neither does one that comes again, or comes late.
	another := newChange(ada, uuid.Nil, "", time.Hour)
	require.Equal(t, []string{"SUCCESS", "SUCCESS"}, s.deliver(s.router, bad.record(t), another.record(t)))
	require.Zero(t, s.found("ada@example.com"))
	require.Zero(t, s.found(ada.String()))
	var open int
	require.NoError(t, s.db.NewRaw("SELECT count(*) FROM audit.dead_letters WHERE resolved_at IS NULL").Scan(context.Background(), &open))
	require.Zero(t, open)
	require.Equal(t, 2, s.count("dead_letters"))
}

// For his export a user has all that he has done, also in lists that he has left, and
// nothing that others have done.
func TestWhatAUserHasDone(t *testing.T) {
	s := newService(t)
	ada, bob, left := uuid.New(), uuid.New(), uuid.New()
	var hers []change
	for i := range 120 {
		hers = append(hers, newChange(ada, uuid.New(), "task.created", time.Duration(200-i)*time.Minute).in(left))
	}
	s.keep(append(hers, newChange(bob, uuid.New(), "task.created", time.Hour).in(left).by(bob, "bob@example.com"), newChange(ada, uuid.New(), "task.updated", time.Hour).in(left).by(bob, "bob@example.com"))...)
	require.Equal(t, idsOf(hers...), s.all(ada, "/internal/acts?limit=200", func() {}))
	require.Equal(t, idsOf(hers...), s.all(ada, "/internal/acts?limit=7", func() {}))
	require.Len(t, s.all(bob, "/internal/acts", func() {}), 2)
	require.Empty(t, s.all(uuid.New(), "/internal/acts", func() {}))
}

// The lists that somebody was in were looked through for each batch of what others did to his
// tasks.
func TestOfTheListsOfWhoIsErasedEachEntryIsLookedAtOnce(t *testing.T) {
	s := newService(t)
	ada, bob, shared := uuid.New(), uuid.New(), uuid.New()
	const entries = 12_000
	_, err := s.owner.NewRaw(`INSERT INTO audit.entries (id, sequence, occurred_at, recorded_at, user_id, actor_id, actor_email, action, target, task_id, list_id, before, after, changed, ip, user_agent, request_id, trace_id)
		SELECT md5('e' || n)::uuid, lpad(n::text, 20, '0'), ?3, ?3, CASE WHEN n % 2 = 0 THEN ?0::uuid ELSE ?1::uuid END, CASE n WHEN 1 THEN ?0::uuid ELSE ?1::uuid END, CASE n WHEN 1 THEN 'ada@example.com' ELSE 'bob@example.com' END,
			'task.updated', 'task/' || md5('t' || n)::uuid, md5('t' || n)::uuid, ?2, NULL, jsonb_build_object('user_id', CASE WHEN n % 2 = 0 THEN ?0::uuid ELSE ?1::uuid END, 'text', CASE n WHEN 3 THEN '@ada@example.com' ELSE 'tea' END), '{}', '', '', '', '' FROM generate_series(1, ?4) n`,
		ada, bob, shared, now, entries).Exec(t.Context())
	require.NoError(t, err)
	_, err = s.owner.NewRaw("VACUUM ANALYZE audit.entries").Exec(t.Context())
	require.NoError(t, err)
	s.keep(erased(ada))
	before := databasetest.Reads(t, s.db, "audit.entries")
	_, err = s.db.ExecContext(t.Context(), "SET enable_seqscan = off") // as with a table of millions
	require.NoError(t, err)
	s.erase()
	require.Less(t, databasetest.Reads(t, s.db, "audit.entries")-before, 6*entries)
	for _, text := range []string{"ada@example.com", ada.String()} {
		require.Zero(t, s.found(text), text)
	}
	require.Equal(t, entries+1, s.count("entries"))
}
