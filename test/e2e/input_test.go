package e2e

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// hostile are JSON values that no field, or only some, can take.
var hostile = map[string]string{
	"null": `null`, "true": `true`, "zero": `0`, "negative": `-1`, "a fraction": `1.5`, "a huge number": `1e308`,
	"a number beyond": `123456789012345678901234567890`, "an empty text": `""`, "a blank text": `"   "`,
	"a long text": `"` + strings.Repeat("x", 300_000) + `"`, "NUL": `"a\u0000b"`, "a lone surrogate": `"\ud800"`,
	"invalid UTF-8": "\"\xff\xfe\"", "emoji": `"💥👩‍👩‍👧"`, "right to left": `"\u202egnp.exe"`, "SQL": `"'; DROP TABLE task.tasks; --"`,
	"an array": `[]`, "an array of null": `[null]`, "an object": `{}`, "an object of something": `{"a":{"b":[1]}}`,
	"deep arrays": strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
	"no date":     `"2027-13-45T99:99:99Z"`, "before the years": `"0000-01-01T00:00:00Z"`, "behind the years": `"9999-12-31T23:59:59-23:59"`,
	"a zone": `"Local"`, "a path": `"../../etc/passwd"`, "a UUID of nothing": `"00000000-0000-0000-0000-000000000000"`,
	"an array of texts": `["` + strings.Repeat("y", 60) + `"]`, "many": `[` + strings.TrimSuffix(strings.Repeat(`"t",`, 300), ",") + `]`,
}

// refusedWell checks an answer to a bad request: never the server's fault, and
// a problem document that names what is at fault.
func refusedWell(t *testing.T, what string, a suite.Answer) {
	t.Helper()
	if a.Status < 400 {
		return
	}
	if a.Status >= 500 {
		t.Errorf("%s: %d %s", what, a.Status, a.Body)
		return
	}
	var p struct {
		Status int
		Errors []struct{ Location, Message string }
	}
	if ct := a.Header.Get("Content-Type"); ct != "application/problem+json" || a.JSON(&p) != nil || p.Status != a.Status {
		t.Errorf("%s: no problem document: %s %s", what, ct, a.Body)
	}
	if a.Status == http.StatusUnprocessableEntity && (len(p.Errors) == 0 || p.Errors[0].Location == "" || p.Errors[0].Message == "") {
		t.Errorf("%s: names nothing: %s", what, a.Body)
	}
}

func TestBadFieldsAreNamedAndChangeNothing(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Target", "due_at": "2027-06-01T09:00:00Z"})
	path := "/api/tasks/" + task.ID.String()
	fields := []string{
		"title", "description", "is_complete", "priority", "tags", "due_at", "all_day", "timezone",
		"reminders", "recurrence", "parent_id", "unknown", "id", "user_id", "version",
	}
	whole := `{"title":"T","due_at":"2027-06-01T09:00:00Z","timezone":"UTC",%q:%s}`
	type endpoint struct {
		method, path, body string
		fields             []string
	}
	endpoints := []endpoint{
		{http.MethodPost, "/api/tasks", whole, fields},
		{http.MethodPut, path, whole, fields},
		{http.MethodPatch, path, `{%q:%s}`, fields},
		{http.MethodPatch, path + "/complete", `{%q:%s}`, []string{"is_complete", "unknown"}},
		{http.MethodPost, "/api/tasks", `{"title":"T","due_at":"2027-06-01T09:00:00Z","reminders":[{%q:%s}]}`, []string{"id", "at", "before_due", "unknown"}},
		{http.MethodPost, "/api/tasks", `{"title":"T","due_at":"2027-06-01T09:00:00Z","recurrence":{"rrule":"FREQ=DAILY",%q:%s}}`, []string{"rrule", "basis", "month_end", "dst_gap", "missed", "anchor", "unknown"}},
		{http.MethodPatch, "/api/auth/me", `{%q:%s}`, []string{"name", "timezone", "email"}},
		{http.MethodPost, "/api/auth/register", `{"email":"x","password":"long enough to pass",%q:%s}`, []string{"email", "password", "name", "timezone", "unknown"}},
		{http.MethodPost, "/api/auth/login", `{"email":"nobody@example.org","password":"p",%q:%s}`, []string{"email", "password", "unknown"}},
		{http.MethodPost, "/api/recurrence/preview", `{"rrule":"FREQ=DAILY","due_at":"2027-06-01T09:00:00Z","timezone":"UTC",%q:%s}`, []string{"rrule", "due_at", "timezone", "all_day", "basis", "month_end", "dst_gap", "missed", "count", "unknown"}},
		{http.MethodPatch, "/api/notifications/" + uuid.NewString(), `{%q:%s}`, []string{"read", "unknown"}},
	}
	for _, e := range endpoints {
		for _, field := range e.fields {
			before := s.query(t, "SELECT count(*) FROM task.events")
			accepted := 0
			for name, value := range hostile {
				a, err := u.Do(t.Context(), e.method, e.path, fmt.Sprintf(e.body, field, value))
				require.NoError(t, err)
				refusedWell(t, fmt.Sprintf("%s %s %s: %s", e.method, e.path, field, name), a)
				if a.Status < 300 {
					accepted++
				}
			}
			if accepted == 0 {
				require.Equal(t, before, s.query(t, "SELECT count(*) FROM task.events"), "%s %s %s changed something", e.method, e.path, field)
			}
		}
	}
}

func TestBadQueriesAreNamed(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Target"})
	u.history(task, 1)
	values := []string{"", "x", "-1", "0", "201", "99999999999999999999", "1e9", "null", "%00", "%ff", "💥", "'; --", "../..", "2027-99-99", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:00", strings.Repeat("z", 5000), "eyJhIjoxfQ", "bnVsbA", "W10"}
	for path, names := range map[string][]string{
		"/api/tasks":         {"is_complete", "priority", "tag", "due_before", "due_after", "due", "timezone", "updated_after", "parent_id", "series_id", "q", "sort", "limit", "cursor", "unknown"},
		"/api/audit":         {"action", "task_id", "list_id", "from", "to", "limit", "cursor", "unknown"},
		"/api/notifications": {"unread", "limit", "cursor", "unknown"},
		"/api/tasks/" + task.ID.String() + "/history":     {"action", "from", "to", "limit", "cursor"},
		"/api/tasks/" + task.ID.String() + "/occurrences": {"limit", "cursor"},
	} {
		for _, name := range names {
			for _, value := range values {
				escaped := value
				if !strings.HasPrefix(value, "%") {
					escaped = url.QueryEscape(value)
				}
				a, err := u.Do(t.Context(), http.MethodGet, path+"?"+name+"="+escaped, nil)
				require.NoError(t, err)
				refusedWell(t, path+" "+name+"="+value[:min(len(value), 40)], a)
			}
		}
	}
}

func TestRequestsThatAreNoRequests(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	for _, c := range []struct {
		name   string
		method string
		path   string
		body   []byte
		header []string
		status int
	}{
		{"malformed JSON", http.MethodPost, "/api/tasks", []byte(`{"title":`), nil, http.StatusBadRequest},
		{"no body", http.MethodPost, "/api/tasks", nil, nil, http.StatusBadRequest},
		{"a text for an object", http.MethodPost, "/api/tasks", []byte(`"title"`), nil, http.StatusUnprocessableEntity},
		{"above 1 MiB", http.MethodPost, "/api/tasks", bytes.Repeat([]byte(" "), 1<<20+1), nil, http.StatusRequestEntityTooLarge},
		{"another content type", http.MethodPost, "/api/tasks", []byte(`title=x`), []string{"Content-Type", "application/x-www-form-urlencoded"}, http.StatusUnsupportedMediaType},
		{"an id that is none", http.MethodGet, "/api/tasks/abc", nil, nil, http.StatusUnprocessableEntity},
		{"an address of nothing", http.MethodGet, "/api/nothing", nil, nil, http.StatusNotFound},
		{"a method that is none", http.MethodPost, "/api/tasks/" + uuid.NewString(), []byte(`{}`), nil, http.StatusMethodNotAllowed},
		{"an empty If-Match list", http.MethodPatch, "/api/tasks/" + uuid.NewString(), []byte(`{}`), []string{"If-Match", ",,"}, http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			var body any
			if c.body != nil {
				body = c.body
			}
			a, err := u.Do(t.Context(), c.method, c.path, body, c.header...)
			require.NoError(t, err)
			require.Equal(t, c.status, a.Status, "%s", a.Body)
			require.Equal(t, "application/problem+json", a.Header.Get("Content-Type"))
		})
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	a, err := u.Do(t.Context(), http.MethodGet, "/.well-known/jwks.json", nil)
	require.NoError(t, err)
	var set struct {
		Keys []struct{ Kid, X string }
	}
	require.NoError(t, a.JSON(&set))
	public, err := base64.RawURLEncoding.DecodeString(set.Keys[0].X)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(public))
	require.NoError(t, err)
	publicPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	_, other, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)

	claims := jwt.MapClaims{}
	_, _, err = jwt.NewParser().ParseUnverified(u.Token, claims)
	require.NoError(t, err)
	forge := func(method jwt.SigningMethod, key any, change func(jwt.MapClaims)) string {
		mine := jwt.MapClaims{}
		for k, v := range claims {
			mine[k] = v
		}
		if change != nil {
			change(mine)
		}
		token := jwt.NewWithClaims(method, mine)
		token.Header["kid"] = set.Keys[0].Kid
		signed, err := token.SignedString(key)
		require.NoError(t, err)
		return signed
	}
	parts := strings.Split(u.Token, ".")
	for name, token := range map[string]string{
		"garbage":                         "garbage",
		"three parts of garbage":          "a.b.c",
		"alg none":                        forge(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"another key":                     forge(jwt.SigningMethodEdDSA, other, nil),
		"HS256 with the public key":       forge(jwt.SigningMethodHS256, public, nil),
		"HS256 with the public key's PEM": forge(jwt.SigningMethodHS256, publicPEM, nil),
		"HS256 with the key as in JWKS":   forge(jwt.SigningMethodHS256, []byte(set.Keys[0].X), nil),
		"expired, by another key":         forge(jwt.SigningMethodEdDSA, other, func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Hour).Unix() }),
		"another's claims":                parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+uuid.NewString()+`","exp":9999999999,"iss":"taskwire","aud":"taskwire"}`)) + "." + parts[2],
		"no signature":                    parts[0] + "." + parts[1] + ".",
		"100 kB":                          strings.Repeat("x", 50_000),
	} {
		for _, path := range []string{"/api/tasks", "/api/audit", "/api/notifications"} {
			c := &suite.Client{Base: s.API, Token: token}
			a, err := c.Do(t.Context(), http.MethodGet, path, nil)
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, a.Status, "%s at %s", name, path)
		}
	}
}

func TestIdempotencyKeysMakeOneTask(t *testing.T) {
	u := s.newUser(t, "UTC")
	const requests = 20
	type got struct {
		id  string
		err error
	}
	answers := make(chan got, requests)
	for i := range requests {
		go func() {
			ctx := t.Context()
			if i == 0 {
				// One of them hangs up before the answer.
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, 3*time.Millisecond)
				defer cancel()
			}
			a, err := u.Do(ctx, http.MethodPost, "/api/tasks", object{"title": "Once"}, "Idempotency-Key", "k-1")
			var task event.Task
			if err == nil && a.Status != http.StatusCreated {
				err = fmt.Errorf("%d %s", a.Status, a.Body)
			}
			if err == nil {
				err = a.JSON(&task)
			}
			answers <- got{task.ID.String(), err}
		}()
	}
	ids := map[string]int{}
	var failed []error
	for range requests {
		if g := <-answers; g.err != nil {
			failed = append(failed, g.err)
		} else {
			ids[g.id]++
		}
	}
	require.LessOrEqual(t, len(failed), 1, "only the one that hung up: %v", failed)
	require.Len(t, ids, 1)
	require.Len(t, must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks", nil).Items, 1)
	again, err := u.Do(t.Context(), http.MethodPost, "/api/tasks", object{"title": "Another body"}, "Idempotency-Key", "k-1")
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, again.Status)
	// Another user's key of the same name is another key.
	other := s.newUser(t, "UTC")
	require.Equal(t, "Theirs", must[event.Task](other, http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "Theirs"}, "Idempotency-Key", "k-1").Title)
}

func TestMergePatchAndPreconditions(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Original", "description": "Kept", "tags": []string{"a"}, "due_at": "2027-06-01T09:00:00Z", "reminders": []object{{"before_due": "P1D"}}})
	path := "/api/tasks/" + task.ID.String()
	patched := must[event.Task](u, http.StatusOK, http.MethodPatch, path, `{"title":"x"}`)
	want := task
	want.Title, want.Version, want.UpdatedAt = "x", 2, patched.UpdatedAt
	require.Equal(t, want, patched, "nothing else is touched")
	cleared := must[event.Task](u, http.StatusOK, http.MethodPatch, path, `{"due_at":null}`)
	want.DueAt, want.Version, want.UpdatedAt = nil, 3, cleared.UpdatedAt
	require.Equal(t, want, cleared, "only that is cleared")
	require.Equal(t, want, must[event.Task](u, http.StatusOK, http.MethodPatch, path, `{}`), "nothing changes nothing")
	require.Equal(t, 3, s.query(t, "SELECT count(*) FROM task.events WHERE topic = 'task-events' AND key = $1", task.ID.String()))

	statuses := make(chan int, 2)
	for i := range 2 {
		go func() {
			a, err := u.Do(t.Context(), http.MethodPatch, path, object{"title": fmt.Sprint("from client ", i)}, "If-Match", `"3"`)
			if err != nil {
				statuses <- 0
				return
			}
			statuses <- a.Status
		}()
	}
	require.ElementsMatch(t, []int{http.StatusOK, http.StatusPreconditionFailed}, []int{<-statuses, <-statuses})
	fresh, err := u.Do(t.Context(), http.MethodGet, path, nil, "If-None-Match", `"4"`)
	require.NoError(t, err)
	require.Equal(t, http.StatusNotModified, fresh.Status)
}

func TestPagingWhileTheListChanges(t *testing.T) {
	leaveOut(t)
	for _, sort := range []string{"created_at", "-created_at"} {
		t.Run(sort, func(t *testing.T) {
			u := s.newUser(t, "UTC")
			stayed := map[uuid.UUID]bool{}
			var victims []event.Task
			for i := range 300 {
				task := u.create(object{"title": fmt.Sprint(i)})
				if i%10 == 0 {
					victims = append(victims, task)
				} else {
					stayed[task.ID] = true
				}
			}
			seen := map[uuid.UUID]int{}
			cursor, round := "", 0
			for {
				p := must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks?limit=37&sort="+sort+"&cursor="+cursor, nil)
				for _, task := range p.Items {
					seen[task.ID]++
				}
				if p.NextCursor == nil {
					break
				}
				cursor = *p.NextCursor
				u.create(object{"title": "new"})
				must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+p.Items[0].ID.String(), object{"title": "changed"})
				if round < len(victims) {
					must[any](u, http.StatusNoContent, http.MethodDelete, "/api/tasks/"+victims[round].ID.String(), nil)
				}
				round++
			}
			for id, n := range seen {
				require.Equal(t, 1, n, "task %s", id)
			}
			for id := range stayed {
				require.Equal(t, 1, seen[id], "a task that stayed is seen")
			}
		})
	}
}

func TestACookieFromAnotherOriginIsRefused(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	c := &suite.Client{Base: s.API}
	post := func(header ...string) int {
		a, err := c.Do(t.Context(), http.MethodPost, "/api/tasks", object{"title": "By cookie"}, append(header, "Cookie", "auth_token="+u.Token)...)
		require.NoError(t, err)
		return a.Status
	}
	require.Equal(t, http.StatusCreated, post(), "a client without a page")
	require.Equal(t, http.StatusCreated, post("Origin", s.API, "Sec-Fetch-Site", "same-origin"))
	require.Equal(t, http.StatusForbidden, post("Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"))
	require.Equal(t, http.StatusForbidden, post("Origin", "https://evil.example"))
}

// A description of 20,000 characters of four bytes does not fit an event: the
// event is shortened and says so, the task is whole.
func TestATaskThatIsLargerThanAnEvent(t *testing.T) {
	u := s.newUser(t, "UTC")
	long := strings.Repeat("💥", 20_000)
	task := u.create(object{"title": "Large", "description": long})
	require.Equal(t, long, task.Description)
	must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String(), object{"description": strings.Repeat("<", 20_000)})
	for _, entry := range u.history(task, 2) {
		require.Equal(t, []string{"description"}, entry.Truncated, "the trail says what it does not hold in full")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	seen := 0
	require.NoError(t, s.Read(ctx, event.TopicTasks, func(r suite.Record) bool {
		if r.Event.Subject != task.ID.String() {
			return false
		}
		seen++
		require.Less(t, len(r.Value), event.MaxSize)
		var data event.TaskEvent
		require.NoError(t, json.Unmarshal(r.Event.Data, &data))
		require.Contains(t, data.Metadata, "truncated")
		return seen == 2
	}))
}

// What a database logs of a failing statement are its values.
func TestNoPasswordHashIsLogged(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	a, err := u.Do(t.Context(), http.MethodPost, "/api/auth/register", object{"email": u.Email, "password": "correct horse battery"})
	require.NoError(t, err)
	require.Equal(t, http.StatusConflict, a.Status)
	for _, name := range []string{"postgres", "task-api", "audit-log", "notification", "recurring-task", "task-api-daprd"} {
		for _, secret := range []string{"argon2", u.Email, "correct horse", u.Token} {
			n, err := s.LogLines(name, secret)
			require.NoError(t, err)
			require.Zero(t, n, "%s in the log of %s", secret, name)
		}
	}
}
