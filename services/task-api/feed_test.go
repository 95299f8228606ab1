package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
)

// told is a change as the API tells of it.
type fed struct {
	ListID uuid.UUID `json:"list_id"`
	Kind   string
	ID     uuid.UUID
	Op     string
	Data   json.RawMessage
}

type fedPage struct {
	Changes []fed
	Next    string
	More    bool
}

// mirror is what a client has of the server: things, by list, kind and id.
type mirror struct {
	client
	place  string
	things map[[2]uuid.UUID]map[string]string
}

// begin takes a snapshot, of a list or of all.
func (c client) begin() *mirror {
	m := &mirror{client: c, things: map[[2]uuid.UUID]map[string]string{}}
	m.place = m.snapshot("")
	return m
}

func (m *mirror) snapshot(query string) (place string) {
	m.t.Helper()
	a := m.do(http.MethodGet, "/api/snapshot"+query, nil)
	if query != "" && a.status == http.StatusUnprocessableEntity {
		return "" // it is lost again meanwhile, which is told next
	}
	require.Equal(m.t, http.StatusOK, a.status, "%s", a.body)
	for i, line := range strings.Split(strings.TrimSpace(string(a.body)), "\n") {
		if i == 0 {
			var first struct{ Next string }
			require.NoError(m.t, json.Unmarshal([]byte(line), &first))
			place = first.Next
			continue
		}
		var c fed
		require.NoError(m.t, json.Unmarshal([]byte(line), &c))
		m.put(c)
	}
	return place
}

func (m *mirror) put(c fed) {
	of := [2]uuid.UUID{c.ListID, c.ID}
	if m.things[of] == nil {
		m.things[of] = map[string]string{}
	}
	var data any
	require.NoError(m.t, json.Unmarshal(c.Data, &data))
	if o, ok := data.(object); ok {
		delete(o, "open_tasks") // which is counted when it is read
		if c.Kind == "list" {   // so are its members, who are things of their own
			delete(o, "members")
		}
	}
	raw, err := json.Marshal(data)
	require.NoError(m.t, err)
	m.things[of][c.Kind] = string(raw)
}

func (m *mirror) drop(list uuid.UUID) {
	maps.DeleteFunc(m.things, func(of [2]uuid.UUID, _ map[string]string) bool { return of[0] == list })
}

// apply does what a page says.
func (m *mirror) apply(p fedPage) {
	m.t.Helper()
	for _, c := range p.Changes {
		of := [2]uuid.UUID{c.ListID, c.ID}
		switch {
		case c.Op == "put":
			m.put(c)
		case c.Op == "reset":
			m.drop(c.ListID)
			m.snapshot("?list_id=" + c.ListID.String())
		case c.Kind == "list":
			m.drop(c.ListID)
		default:
			delete(m.things[of], c.Kind)
			if len(m.things[of]) == 0 {
				delete(m.things, of)
			}
		}
	}
	m.place = p.Next
}

// catchUp applies what has changed, and says how many pages that were.
func (m *mirror) catchUp(query string) int {
	m.t.Helper()
	for pages := 1; ; pages++ {
		a := m.do(http.MethodGet, "/api/changes?since="+m.place+query, nil)
		require.Equal(m.t, http.StatusOK, a.status, "%s", a.body)
		var p fedPage
		require.NoError(m.t, json.Unmarshal(a.body, &p))
		if m.apply(p); !p.More {
			return pages
		}
	}
}

func (m *mirror) same(other *mirror, say string) {
	m.t.Helper()
	require.Equal(m.t, slices.Sorted(func(yield func(string) bool) {
		for of, kinds := range other.things {
			for kind, data := range kinds {
				if !yield(fmt.Sprint(of[0], " ", kind, " ", of[1], " ", data)) {
					return
				}
			}
		}
	}), slices.Sorted(func(yield func(string) bool) {
		for of, kinds := range m.things {
			for kind, data := range kinds {
				if !yield(fmt.Sprint(of[0], " ", kind, " ", of[1], " ", data)) {
					return
				}
			}
		}
	}), say)
}

// Whatever three people do, each client ends with what the server has: one that asks in
// between, one that asks for small pages, one that was away, and one that is told.
func TestAClientHasWhatTheServerHas(t *testing.T) {
	s := start(t, "LIMIT_WRITES=0", "LIMIT_IN_FLIGHT=0")
	users := []client{s.newUser(), s.newUser(), s.newUser()}
	var lists []uuid.UUID
	for i, u := range users {
		l := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": fmt.Sprint("List ", i)})
		u.join(users[(i+1)%3], l.ID, access.Editor)
		lists = append(lists, l.ID)
	}
	type clients struct{ often, small, away, streaming *mirror }
	var all []clients
	var streams sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	defer func() { stop(); streams.Wait() }()
	var locks [3]sync.Mutex
	for i, u := range users {
		c := clients{u.begin(), u.begin(), u.begin(), u.begin()}
		all = append(all, c)
		streams.Go(func() { c.streaming.listen(ctx, &locks[i]) })
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var tasks, comments []uuid.UUID
	pick := func(of []uuid.UUID) uuid.UUID {
		if len(of) == 0 {
			return uuid.New()
		}
		return of[random.IntN(len(of))]
	}
	for step := range 300 {
		u := users[random.IntN(3)]
		list := lists[random.IntN(3)]
		var a answer
		switch random.IntN(13) {
		case 0, 1, 2:
			body := object{"title": fmt.Sprint("Task ", step), "list_id": list}
			if random.IntN(3) == 0 {
				body = object{"title": fmt.Sprint("Task ", step), "parent_id": pick(tasks)}
			}
			if a = u.do(http.MethodPost, "/api/tasks", body); a.status == http.StatusCreated {
				var made struct{ ID uuid.UUID }
				require.NoError(t, json.Unmarshal(a.body, &made))
				tasks = append(tasks, made.ID)
			}
		case 3:
			a = u.do(http.MethodPatch, at(pick(tasks)), object{"title": fmt.Sprint("Changed ", step)})
		case 4:
			a = u.do(http.MethodPost, at(pick(tasks))+"/move", object{"list_id": list})
		case 5:
			a = u.do(http.MethodPost, at(pick(tasks))+"/move", object{"before": pick(tasks)})
		case 6:
			a = u.do(http.MethodDelete, at(pick(tasks)), nil)
		case 7:
			a = u.do(http.MethodPost, inTrash(pick(tasks))+"/restore", nil)
		case 8:
			if a = u.do(http.MethodPost, commentsOn(pick(tasks)), object{"text": fmt.Sprint("Said ", step)}); a.status == http.StatusCreated {
				var said struct{ ID uuid.UUID }
				require.NoError(t, json.Unmarshal(a.body, &said))
				comments = append(comments, said.ID)
			}
		case 9:
			a = u.do(http.MethodDelete, commentAt(pick(comments)), nil)
		case 10: // somebody is taken out, or asked in again
			other := users[random.IntN(3)]
			if a = u.do(http.MethodDelete, listAt(list)+"/members/"+other.user.String(), nil); a.status == http.StatusNotFound {
				if a = u.do(http.MethodPost, listAt(list)+"/members", object{"email": other.email, "role": "editor"}); a.status == http.StatusCreated {
					var invited struct{ ID uuid.UUID }
					require.NoError(t, json.Unmarshal(a.body, &invited))
					a = other.do(http.MethodPost, "/api/invitations/"+invited.ID.String()+"/accept", nil)
				}
			}
		case 11:
			if a = u.do(http.MethodDelete, listAt(list), nil); a.status == http.StatusNoContent && random.IntN(4) > 0 {
				a = u.do(http.MethodPost, inTrash(list)+"/restore", nil)
			}
		case 12:
			a = u.do(http.MethodPatch, listAt(list), object{"name": fmt.Sprint("List ", step)})
		}
		require.Less(t, a.status, http.StatusInternalServerError, "%s", a.body)
		if step%7 == 0 {
			c := all[random.IntN(3)]
			c.often.catchUp("")
			c.small.catchUp("&limit=3")
		}
	}
	for i, c := range all {
		want := users[i].begin()
		c.often.catchUp("")
		c.often.same(want, fmt.Sprint("asks often, user ", i))
		c.small.catchUp("&limit=1")
		c.small.same(want, fmt.Sprint("asks for small pages, user ", i))
		c.away.catchUp("&limit=50")
		c.away.same(want, fmt.Sprint("was away, user ", i))
		require.Eventually(t, func() bool {
			locks[i].Lock()
			defer locks[i].Unlock()
			return fmt.Sprint(c.streaming.things) == fmt.Sprint(want.things)
		}, patience, 20*time.Millisecond, "is told, user %d", i)
	}
}

// listen applies what a stream says, and comes back where it was when it breaks off.
func (m *mirror) listen(ctx context.Context, lock *sync.Mutex) {
	for n := 0; ctx.Err() == nil; n++ {
		lock.Lock()
		place := m.place
		lock.Unlock()
		streaming, cut := context.WithCancel(ctx)
		req, err := http.NewRequestWithContext(streaming, http.MethodGet, m.base+"/api/stream", nil)
		require.NoError(m.t, err)
		req.Header.Set("Authorization", "Bearer "+m.token)
		req.Header.Set("Last-Event-ID", place)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			cut()
			continue
		}
		lines := bufio.NewScanner(res.Body)
		lines.Buffer(nil, 4<<20)
		for events := 0; lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			if !ok {
				continue
			}
			var p fedPage
			require.NoError(m.t, json.Unmarshal([]byte(data), &p))
			lock.Lock()
			m.apply(p)
			lock.Unlock()
			if events++; events == 5 && n < 20 {
				break // it is cut off now and then
			}
		}
		cut()
		_ = res.Body.Close() // it was read as far as it is wanted
	}
}

func TestAPlaceThatIsNotKnownBeginsAnew(t *testing.T) {
	s := start(t)
	u := s.newUser()
	old := u.begin().place
	gone := func(place string) {
		t.Helper()
		a := u.do(http.MethodGet, "/api/changes?since="+place, nil)
		require.Equal(t, http.StatusGone, a.status, "%s", a.body)
		require.Equal(t, "resync-required", a.problem().code())
		var p struct{ Snapshot string }
		require.NoError(t, json.Unmarshal(a.body, &p))
		require.Equal(t, "/api/snapshot", p.Snapshot)
		stream := u.do(http.MethodGet, "/api/stream?since="+place, nil) // it ends
		require.Contains(t, string(stream.body), "event: resync")
	}
	at := func(change func(object)) string {
		raw, err := base64.RawURLEncoding.DecodeString(old)
		require.NoError(t, err)
		var place object
		require.NoError(t, json.Unmarshal(raw, &place))
		change(place)
		raw, err = json.Marshal(place)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	gone("x")
	gone(at(func(p object) { p["l"] = uuid.New() }))          // of another log
	gone(at(func(p object) { p["x"] = 1 << 40 }))             // that is yet to come
	gone(at(func(p object) { p["x"] = -1 }))                  // that never was
	gone(at(func(p object) { p["k"] = "a\x00b" }))            // that can not be
	u.begin().catchUp("")                                     // and this one can
	s.execute("UPDATE task.feed_log SET cluster = 'another'") // as after a restore
	gone(old)
	m := u.begin()
	u.create(object{"title": "after the restore"})
	m.catchUp("")
	m.same(u.begin(), "it goes on")
}

// A place is never beyond what is on the disk: where Postgres dies, transactions that are
// not are forgotten, and others get their numbers, which nobody with such a place would be
// told of.
func TestAPlaceIsNotBeyondTheLastChange(t *testing.T) {
	s := start(t)
	u := s.newUser()
	u.begin() // the feed of a new database begins here
	u.create(object{"title": "the last change"})
	changed := func(place string) (x int64) {
		raw, err := base64.RawURLEncoding.DecodeString(place)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(mustField(t, raw, "x"), &x))
		return x
	}
	var last int64
	require.NoError(t, s.db.QueryRowContext(t.Context(), "SELECT max(changed::text::bigint) FROM task.feed").Scan(&last))
	for name, then := range map[string]string{
		"comes to nothing":           "BEGIN; SELECT pg_current_xact_id(); ROLLBACK",
		"does not wait for the disk": "BEGIN; SET LOCAL synchronous_commit = off; SELECT pg_current_xact_id(); COMMIT",
	} {
		s.execute(then)
		m := u.begin()
		require.Equal(t, last+1, changed(m.place), "after a transaction that %s", name)
		m.catchUp("")
		require.Equal(t, last+1, changed(m.place), "after a transaction that %s", name)
	}
}

func TestAnAnswerWaitsForAChange(t *testing.T) {
	s := start(t)
	u := s.newUser()
	m := u.begin()
	began := time.Now()
	answered := make(chan answer, 1)
	go func() { answered <- u.do(http.MethodGet, "/api/changes?wait=30&since="+m.place, nil) }()
	select {
	case a := <-answered:
		t.Fatalf("it did not wait: %s", a.body)
	case <-time.After(100 * time.Millisecond): // nothing is to come: there is no condition to wait for
	}
	s.newUser().create(object{"title": "somebody else's"})
	task := u.create(object{"title": "mine"})
	a := <-answered
	require.Less(t, time.Since(began), 20*time.Second)
	var p fedPage
	require.NoError(t, json.Unmarshal(a.body, &p))
	require.Equal(t, task.ID, p.Changes[len(p.Changes)-1].ID)
	a = u.do(http.MethodGet, "/api/changes?wait=1&since="+p.Next, nil)
	require.JSONEq(t, `[]`, string(mustField(t, a.body, "changes")))

	// Of one list: what changes in others does not end the wait, and is in no answer.
	list := u.list(http.StatusCreated, http.MethodPost, "/api/lists", object{"name": "Shared"})
	m = u.begin()
	go func() {
		answered <- u.do(http.MethodGet, "/api/changes?wait=30&list_id="+list.ID.String()+"&since="+m.place, nil)
	}()
	for range 3 {
		u.create(object{"title": "in another list"})
	}
	task = u.create(object{"title": "in the list", "list_id": list.ID})
	a = <-answered
	require.NoError(t, json.Unmarshal(a.body, &p))
	require.Len(t, p.Changes, 1)
	require.Equal(t, task.ID, p.Changes[0].ID)
}

func mustField(t *testing.T, body []byte, name string) json.RawMessage {
	var o map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(body, &o), "%s", body)
	return o[name]
}

// A service that stops ends the streams first, and at once; a client comes back to where
// it was.
func TestAStreamEndsWithTheService(t *testing.T) {
	s := start(t, "SHUTDOWN_TIMEOUT=20s")
	u := s.newUser()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/api/stream", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+u.token)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, "text/event-stream", res.Header.Get("Content-Type"))
	require.Equal(t, "no", res.Header.Get("X-Accel-Buffering"))
	lines := bufio.NewReader(res.Body)
	_, err = lines.ReadString('\n')
	require.NoError(t, err, "the headers come at once")
	require.NoError(t, syscall.Kill(s.pid, syscall.SIGTERM))
	began := time.Now()
	_, err = io.Copy(io.Discard, lines)
	require.NoError(t, err, "it ends as it should")
	require.Less(t, time.Since(began), 7*time.Second)
}
