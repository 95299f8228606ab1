package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/erase"
)

// secret is a word that is in all that the one who is erased has written for himself.
const secret = "zauberwort"

// erasable is somebody with something of everything, and who has lists with him.
type erasable struct {
	client
	name      string
	bob       client
	shared    uuid.UUID // Bob's
	lost      uuid.UUID // hers, with Bob in it
	kept      uuid.UUID // hers and Bob's
	hers, his event.Task
	series    event.Task // hers, in Bob's list
	bobs      string     // the request by which Bob has changed hers
	bobsLost  string     // and one in the list that goes
}

func newErasable(s *running) *erasable {
	t := s.t
	t.Helper()
	e := &erasable{client: s.newUser(), bob: s.newUser(), name: "Ada Zauber-" + uuid.NewString()[:8]}
	ok := func(a answer, status int) answer {
		t.Helper()
		require.Equal(t, status, a.status, "%s", a.body)
		return a
	}
	ok(e.do(http.MethodPatch, "/api/auth/me", object{"name": e.name}), http.StatusOK)
	e.signIn(e.email, "not her password")
	e.signIn(e.email, password)
	e.shared = e.bob.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"}).ID
	e.bob.join(e.client, e.shared, access.Editor)
	e.lost = e.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": secret + " list"}, "Idempotency-Key", "k").ID
	e.join(e.bob, e.lost, access.Editor)
	e.kept = e.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Ours"}).ID
	e.join(e.bob, e.kept, access.Owner)
	thrown := e.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": secret + " away"})
	e.create(object{"title": secret, "list_id": thrown.ID})
	ok(e.do(http.MethodDelete, listAt(thrown.ID), nil), http.StatusNoContent)
	other := e.bob.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "More"})
	ok(e.bob.do(http.MethodPost, listAt(other.ID)+"/members", object{"email": strings.ToUpper(e.email), "role": "viewer"}), http.StatusCreated)

	// For herself.
	parent := e.create(object{"title": secret, "description": strings.Repeat(secret+" ", 1500), "tags": []string{secret}})
	e.create(object{"title": "below " + secret, "parent_id": parent.ID})
	e.task(http.StatusOK, http.MethodPatch, at(parent.ID), object{"description": strings.Repeat(secret+"\u0001 ", 1400)})
	e.say(parent.ID, secret)
	e.remove(e.create(object{"title": secret + " in the trash"}).ID)
	daily := e.create(object{"title": secret + " daily", "list_id": e.lost, "due_at": "2027-01-31T09:00:00Z", "timezone": "UTC", "recurrence": object{"rrule": "FREQ=DAILY"}})
	e.complete(daily.ID)
	s.follow(daily.ID)
	bobsToo := e.bob.create(object{"title": "Bob's in hers", "list_id": e.lost})
	e.bobsLost = ok(e.bob.do(http.MethodPatch, at(daily.ID), object{"priority": "low"}), http.StatusOK).request()
	e.task(http.StatusOK, http.MethodPatch, at(bobsToo.ID), object{"description": secret})
	e.bob.say(daily.ID, "for @"+e.email+" of "+bobsToo.Title)

	// With others.
	e.hers = e.create(object{"title": "Water", "list_id": e.shared, "due_at": time.Now().Add(time.Hour), "reminders": []object{{"before_due": "PT15M"}}})
	e.series = e.create(object{"title": "Rake", "list_id": e.shared, "due_at": "2027-01-31T09:00:00Z", "timezone": "Europe/Berlin", "recurrence": object{"rrule": "FREQ=DAILY"}})
	e.his = e.bob.create(object{"title": "Mow", "list_id": e.shared, "assignee_id": e.user})
	e.create(object{"title": "Both", "list_id": e.kept, "reminders": []object{{"at": time.Now().Add(-time.Second)}}})
	for _, task := range []event.Task{e.hers, e.his} {
		said := e.say(task.ID, secret+" for @"+e.bob.email)
		e.comment(http.StatusOK, http.MethodPatch, commentAt(said.ID), object{"text": secret + " again"})
		struck := e.say(task.ID, strings.Repeat(secret+"\u0001", 900))
		ok(e.bob.do(http.MethodDelete, commentAt(struck.ID), nil), http.StatusNoContent)
		e.bob.say(task.ID, "@"+strings.ToUpper(e.email)+": look, and look, @"+e.email)
	}
	trashed := e.bob.create(object{"title": "Old", "list_id": e.shared})
	e.say(trashed.ID, secret+" too")
	e.bob.say(trashed.ID, "yes, @"+e.email)
	e.bob.remove(trashed.ID)
	e.bobs = ok(e.bob.do(http.MethodPatch, at(e.hers.ID), object{"title": "Water more"}), http.StatusOK).request()
	require.Eventually(t, func() bool { return slices.Contains(types(s.toldSince(0)), event.ReminderDue) }, patience, 10*time.Millisecond)
	return e
}

// holding are the tables of the service that have a text somewhere, and how many rows of each.
func (s *running) holding(text string) map[string]int {
	s.t.Helper()
	found := map[string]int{}
	for _, table := range s.tables() {
		var n int
		require.NoError(s.t, s.db.NewRaw("SELECT count(*) FROM task."+table+" x WHERE x::text ILIKE ?", "%"+text+"%").Scan(s.t.Context(), &n))
		if n > 0 {
			found[table] = n
		}
	}
	return found
}

// tables are those of the service, without the partitions of one.
func (s *running) tables() []string {
	s.t.Helper()
	var tables []string
	err := s.db.NewRaw(`SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'task'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`).Scan(s.t.Context(), &tables)
	require.NoError(s.t, err)
	return tables
}

// hasten lets the requests be over that may have been under way when an erasure began.
func (s *running) hasten() {
	s.execute("UPDATE task.erasures SET began_at = began_at - interval '1 minute' WHERE done_at IS NULL")
}

// isErased waits until a user is, and asks for no more time than is needed. The service looks
// every few seconds: tests that wait for it wait beside each other.
func (s *running) isErased(user uuid.UUID) {
	s.t.Helper()
	s.execute("UPDATE task.users SET erase_at = now() - interval '1 minute' WHERE id = ?", user)
	require.Eventually(s.t, func() bool {
		s.hasten()
		var done bool
		require.NoError(s.t, s.db.NewRaw("SELECT EXISTS (SELECT FROM task.erasures WHERE id = ? AND done_at IS NOT NULL)", erasure.Hash(user)).Scan(s.t.Context(), &done))
		return done
	}, 3*patience, 100*time.Millisecond)
}

// look says what is wrong with what is left of somebody who was erased.
func (e *erasable) look(s *running) {
	t := s.t
	t.Helper()
	for _, text := range []string{e.email, e.name, secret} {
		require.Empty(t, s.holding(text), text)
	}
	for table, n := range s.holding(e.user.String()) {
		require.Contains(t, []string{"tasks", "lists", "events", "feed"}, table, n)
	}
	for _, told := range s.toldSince(0) {
		require.True(t, json.Valid([]byte(told.Data)))
	}

	// What others have.
	hers := e.bob.task(http.StatusOK, http.MethodGet, at(e.hers.ID), nil)
	require.Equal(t, "Water more", hers.Title)
	require.Empty(t, hers.Reminders)
	require.Nil(t, e.bob.task(http.StatusOK, http.MethodGet, at(e.his.ID), nil).AssigneeID)
	for _, task := range []uuid.UUID{e.hers.ID, e.his.ID} {
		said := e.bob.comments(task, "").Items
		require.Len(t, said, 1)
		require.Equal(t, "@former member: look, and look, @former member", said[0].Text)
	}
	require.Equal(t, http.StatusNotFound, e.bob.do(http.MethodGet, listAt(e.lost), nil).status)
	for _, id := range []uuid.UUID{e.shared, e.kept} {
		require.Len(t, e.bob.list(http.StatusOK, http.MethodGet, listAt(id), nil).Members, 1)
	}
}

// A letter can be of another length in capitals, and become another one in small than it came from.
func TestAnErasedAddressInAnyCase(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.consumers()
	u, bob := s.newUser(), s.newUser()
	s.execute("UPDATE task.users SET email = 'straße.kiå@example.org' WHERE id = ?", u.user)
	task := bob.create(object{"title": "Call"})
	written := []string{"straße.kiå@example.org", "STRAẞE.KIÅ@EXAMPLE.ORG", "straẞe.\u212aİ\u212b@example.org"}
	bob.say(task.ID, "to "+strings.Join(written, " and ")+".")
	s.isErased(u.user)
	require.Equal(t, "to former member and former member and former member.", bob.comments(task.ID, "").Items[0].Text)
	for _, address := range written {
		for _, table := range s.tables() {
			var left bool
			require.NoError(t, s.db.NewRaw("SELECT EXISTS (SELECT FROM task."+table+" x WHERE strpos(x::text, ?) > 0)", address).Scan(t.Context(), &left))
			require.False(t, left, "%s in %s", address, table)
		}
	}
}

func TestWhoIsErasedIsGone(t *testing.T) {
	s := start(t)
	s.consumers()
	e := newErasable(s)
	feed := e.bob.begin()
	before := s.toldSince(0)

	another, _ := e.signIn(e.email, password)
	a := e.do(http.MethodDelete, "/api/auth/me", nil)
	require.Equal(t, http.StatusAccepted, a.status, "%s", a.body)
	var when, again struct {
		EraseAt time.Time `json:"erase_at"`
	}
	require.NoError(t, json.Unmarshal(a.body, &when))
	require.WithinDuration(t, time.Now().Add(7*24*time.Hour), when.EraseAt, time.Minute)
	require.NoError(t, json.Unmarshal(e.do(http.MethodDelete, "/api/auth/me", nil).body, &again))
	require.Equal(t, when, again, "it is not put off")
	require.NoError(t, json.Unmarshal(e.do(http.MethodGet, "/api/auth/me", nil).body, &again))
	require.Equal(t, when, again)
	require.Eventually(t, func() bool { return another.do(http.MethodGet, "/api/auth/me", nil).status == http.StatusUnauthorized }, patience, 50*time.Millisecond)

	s.isErased(e.user)
	e.look(s)
	after := s.toldSince(0)
	for i, was := range before {
		is := after[i]
		require.Equal(t, []any{was.Position, was.Topic, was.Type, was.Key}, []any{is.Position, is.Topic, is.Type, is.Key})
	}
	last := after[len(after)-2:]
	require.Equal(t, []string{event.AccountErased, event.AuditPrefix + event.UserErased}, types(last))
	require.NotContains(t, fmt.Sprint(last), e.email)

	// The account is nobody's any more, and the address free.
	require.Equal(t, http.StatusUnauthorized, e.do(http.MethodGet, "/api/auth/me", nil).status)
	require.Equal(t, http.StatusUnauthorized, e.do(http.MethodPost, "/api/auth/me/restore", nil).status)
	_, a = e.signIn(e.email, password)
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Equal(t, http.StatusCreated, s.nobody().do(http.MethodPost, "/api/auth/register", object{"email": e.email, "password": password}).status)

	// Bob's feed goes on, and so do his undos.
	feed.catchUp("")
	feed.same(e.bob.begin(), "after the erasure")
	require.Equal(t, http.StatusOK, e.bob.do(http.MethodPost, undoOf(e.bobs), nil).status)
	require.Equal(t, "Water", e.bob.task(http.StatusOK, http.MethodGet, at(e.hers.ID), nil).Title)
	require.Equal(t, http.StatusNotFound, e.bob.do(http.MethodPost, undoOf(e.bobsLost), nil).status)

	// Her series in his list goes on.
	e.bob.complete(e.series.ID)
	next := s.follow(e.series.ID)
	require.Equal(t, http.StatusOK, next.status, "%s", next.body)
	require.Equal(t, "Rake", e.bob.task(http.StatusOK, http.MethodGet, at(next.spawned(t)), nil).Title)

	// The log is whole, and reconcile asks for the acknowledgements.
	s.consume()
	var report []string
	for _, r := range s.reconcile() {
		require.Empty(t, r.Undone)
		if r.Missing > 0 {
			report = append(report, r.Check)
			require.Len(t, r.Events, 1)
		}
	}
	require.Equal(t, []string{"audit-log has erased every erased account", "recurring-task has erased every erased account", "notification has erased every erased account"}, report)
	for _, schema := range []string{"audit", "recurring", "notification"} {
		s.execute("INSERT INTO "+schema+".erased (id, told_at, done_at) VALUES (?, now(), now())", erasure.Hash(e.user))
	}
	require.Empty(t, gaps(t, s.reconcile()))
}

// Whoever is killed at whatever moment is gone on with, by whoever comes.
func TestAnErasureThatIsKilledIsGoneOnWith(t *testing.T) {
	t.Parallel()
	s := start(t)
	e := newErasable(s)
	s.execute("UPDATE task.users SET erase_at = now() - interval '1 minute' WHERE id = ?", e.user)
	log := slog.New(slog.DiscardHandler)
	done := func() (done bool) {
		require.NoError(t, s.db.NewRaw("SELECT EXISTS (SELECT FROM task.erasures WHERE done_at IS NOT NULL)").Scan(t.Context(), &done))
		return done
	}
	// One that dies in the middle of something. It lives for longer from time to time, else it
	// would get nowhere on a slow machine, and nobody else, whom it locks out.
	life := 20 * time.Millisecond
	for until := time.Now().Add(3 * patience); !done(); life += life / 50 {
		require.Less(t, time.Now(), until)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.Int64N(int64(life))))
		killed := &erase.Eraser{Changes: &change.Writer{DB: s.db, Events: eventlog.NewSignal("", "", log), Clock: eventlog.NewSignal("", "", log), Now: time.Now}, Log: log}
		for range 5 {
			_, _ = killed.Erase(ctx) // it is killed
		}
		cancel()
		s.hasten()
	}
	e.look(s)
	erased := 0
	for _, kind := range types(s.toldSince(0)) {
		if kind == event.AccountErased {
			erased++
		}
	}
	require.Equal(t, 1, erased)
}

// One account that can not be erased holds up no other, neither at its beginning nor later,
// and goes when it can.
func TestAnErasureThatFailsHoldsUpNobody(t *testing.T) {
	t.Parallel()
	for name, table := range map[string]string{"at its beginning": "sessions", "later": "comments"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t)
			first, second := s.newUser(), s.newUser()
			first.say(first.create(object{"title": "x"}).ID, "x")
			s.execute("CREATE FUNCTION task.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$")
			s.execute("CREATE TRIGGER fails BEFORE DELETE ON task.? FOR EACH ROW WHEN (? IN (OLD.?)) EXECUTE FUNCTION task.fail()",
				bun.Ident(table), first.user, bun.Ident(map[string]string{"sessions": "user_id", "comments": "author_id"}[table]))
			s.execute("UPDATE task.users SET erase_at = now() - interval '2 minutes' WHERE id = ?", first.user)
			s.isErased(second.user)
			var left bool
			require.NoError(t, s.db.NewRaw("SELECT EXISTS (SELECT FROM task.users WHERE id = ?)", first.user).Scan(t.Context(), &left))
			require.True(t, left)

			s.execute("DROP TRIGGER fails ON task.?", bun.Ident(table))
			other := &erase.Eraser{Changes: s.users.Changes, Log: slog.New(slog.DiscardHandler)} // who has not tried
			for more := true; more; {
				s.hasten()
				var err error
				more, err = other.Erase(t.Context())
				require.NoError(t, err)
			}
			s.isErased(first.user)
		})
	}
}

func TestAnErasureIsCalledBack(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "stays"})
	require.Equal(t, http.StatusNoContent, u.do(http.MethodPost, "/api/auth/me/restore", nil).status, "there is nothing to call back")
	require.Equal(t, http.StatusAccepted, u.do(http.MethodDelete, "/api/auth/me", nil).status)
	again, _ := u.signIn(u.email, password)
	require.Equal(t, http.StatusNoContent, again.do(http.MethodPost, "/api/auth/me/restore", nil).status)
	var me struct {
		EraseAt *time.Time `json:"erase_at"`
	}
	require.NoError(t, json.Unmarshal(u.do(http.MethodGet, "/api/auth/me", nil).body, &me))
	require.Nil(t, me.EraseAt)
	u.task(http.StatusOK, http.MethodGet, at(task.ID), nil)
	kinds := types(s.toldSince(0))
	require.Contains(t, kinds, event.AuditPrefix+event.UserErasureAsked)
	require.Contains(t, kinds, event.AuditPrefix+event.UserErasureCalledBack)
}

// Who was erased does not come again by a token of an outside issuer, not even where he
// was known a moment ago: the rest of the suite would take nothing of his any more.
func TestAnErasedOutsideUserDoesNotComeAgain(t *testing.T) {
	t.Parallel()
	s := start(t, "JWT_SECRET="+sharedSecret, "ERASE_AFTER=0")
	id := uuid.New()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": id.String(), "email": "zauber@example.org", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}).SignedString([]byte(sharedSecret))
	require.NoError(t, err)
	u := client{running: s, token: token, user: id}
	u.create(object{"title": secret})
	s.isErased(id)
	require.Eventually(t, func() bool { return u.do(http.MethodGet, "/api/auth/me", nil).status == http.StatusUnauthorized }, patience, 50*time.Millisecond)
	require.Equal(t, http.StatusUnauthorized, u.do(http.MethodPost, "/api/tasks", object{"title": secret}).status)
	for _, text := range []string{"zauber@example.org", secret} {
		require.Empty(t, s.holding(text))
	}
}

// Who adds a table says what becomes of it when an account is erased.
func TestOfEachTableItIsSaidWhatBecomesOfIt(t *testing.T) {
	t.Parallel()
	s := start(t)
	var said []string
	said = append(said, erase.His...)
	for table := range erase.Handled {
		said = append(said, table)
	}
	for table := range erase.Kept {
		said = append(said, table)
	}
	require.ElementsMatch(t, s.tables(), said)
	for _, table := range erase.His {
		var n int
		require.NoError(t, s.db.NewRaw("SELECT count(*) FROM information_schema.columns WHERE table_schema = 'task' AND table_name = ? AND column_name = 'user_id'", table).Scan(t.Context(), &n))
		require.Equal(t, 1, n, table)
	}
}

func TestAnOperatorErases(t *testing.T) {
	t.Parallel()
	s := start(t)
	u := s.newUser()
	out, code := s.command("users", "erase", strings.ToUpper(u.email))
	require.Zero(t, code, out)
	require.Contains(t, out, "to be erased at "+time.Now().Add(7*24*time.Hour).UTC().Format("2006-01-02T"))
	require.Contains(t, string(u.do(http.MethodGet, "/api/auth/me", nil).body), `"erase_at":"`)
	require.Equal(t, http.StatusNoContent, u.do(http.MethodPost, "/api/auth/me/restore", nil).status, "its user can call it back")
	out, code = s.command("users", "erase", u.user.String(), "--now")
	require.Zero(t, code, out)
	s.isErased(u.user)
	require.Empty(t, s.holding(u.email))
	out, code = s.command("users", "erase", u.email)
	require.Equal(t, 1, code, out)
	require.Contains(t, out, "there is no such user")
}

// Addresses of before go with the account, and what its API tokens were called.
func TestNothingOfBeforeIsLeft(t *testing.T) {
	t.Parallel()
	s := start(t, "ERASE_AFTER=0")
	u, bob := s.newUser(), s.newUser()
	list := bob.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Garden"})
	bob.join(u, list.ID, access.Editor)
	task := bob.create(object{"title": "x", "list_id": list.ID})
	bob.say(task.ID, "for @"+u.email)
	thrown := bob.create(object{"title": "y", "list_id": list.ID})
	bob.say(thrown.ID, "also for @"+u.email)
	bob.remove(thrown.ID)
	before := u.email
	u.apiToken(object{"name": "Zaubertelefon", "scopes": []string{"account:read"}})
	for _, next := range []string{"zauber@example.org", "zauber@example.org.example"} {
		require.Equal(t, http.StatusAccepted, u.do(http.MethodPatch, "/api/auth/me", object{"email": next}).status)
		require.Equal(t, http.StatusNoContent, s.nobody().post("/api/auth/verify", object{"token": s.mail(next).Token}).status)
	}
	require.Equal(t, http.StatusAccepted, u.do(http.MethodDelete, "/api/auth/me", nil).status)
	s.isErased(u.user)
	for _, text := range []string{before, "zauber@example.org", "Zaubertelefon"} {
		require.Empty(t, s.holding(text), text)
	}
}
