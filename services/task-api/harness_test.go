package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

// asService makes the test binary the service itself: what is tested is a
// process as operators run it, with its settings, migrations and signals.
const asService = "TASK_API_TEST_SERVE"

const (
	appToken = "the sidecar's token for this test"
	patience = 30 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(asService) != "" {
		main()
		return
	}
	os.Exit(databasetest.Main(m))
}

type object = map[string]any

// running is a task-api that serves a database of its own.
type running struct {
	t    *testing.T
	end  func() // which the end of its test calls, too
	base string
	key  ed25519.PrivateKey
	url  string // of its database
	db   *bun.DB
	pid  int

	users *account.Store // in its database
	keys  *account.Keys  // its own

	routes []route // with LOG_LEVEL=debug
	logged func() []logLine
	env    []string // its settings, for its commands
}

// logLine is a line of the service's log.
type logLine struct{ Level, Msg, Address, Method, Route, Away string }

// route is what the service says that it answers.
type route struct{ method, pattern string }

// start runs the service; more are settings such as NAME=value. Its tests run side by side,
// but for those that read what is new in the feed: that waits for every transaction of the
// server, and those in the databases of other tests are among them.
func start(t *testing.T, more ...string) *running {
	t.Helper()
	url := ""
	for _, setting := range more {
		if given, ok := strings.CutPrefix(setting, "DATABASE_URL="); ok {
			url = given
		}
	}
	if url == "" {
		url = databasetest.Migrated(t, migrations.Schema)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	private := privatePEM(t, key)
	keys, err := account.NewKeys(private, "", auth.Settings{Issuer: "taskwire", Audience: "taskwire"}, time.Hour)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0], "serve") //nolint:noctx,gosec // it ends by the signal below; it is this test binary itself
	cmd.Env = append(os.Environ(), asService+"=1", "PORT=0", "DATABASE_URL="+url, "APP_API_TOKEN="+appToken,
		"JWT_PRIVATE_KEY="+private,
		"EVENT_PUBLISHING_ENABLED=false", "LOG_FORMAT=json", "DAPR_HTTP_PORT=1", "COOKIE_SECURE=false", "MAIL_VERIFICATION=optional",
		"LIMIT_SIGN_INS_NETWORK=0", "LIMIT_REGISTRATIONS=0") // everybody is one network here
	// A program with the race detector sleeps for a second at its end, unless told otherwise.
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=10 "+os.Getenv("GORACE"))
	cmd.Env = append(cmd.Env, more...)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())

	var mu sync.Mutex
	var bad []string
	var logged []logLine
	var routes []route
	address := make(chan string, 1)
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(address)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var line logLine
			if json.Unmarshal(lines.Bytes(), &line) == nil {
				switch line.Msg {
				case "route":
					routes = append(routes, route{line.Method, line.Route})
				case "serving":
					address <- line.Address
				}
			}
			mu.Lock()
			logged = append(logged, line)
			if line.Level == "ERROR" || line.Level == "" {
				bad = append(bad, lines.Text())
			}
			mu.Unlock()
		}
	})
	end := sync.OnceFunc(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Errorf("stop the service: %v", err)
		}
		reading.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the service ended badly: %v\n%s", err, stderr.String())
		}
		if len(bad) > 0 {
			t.Errorf("the service logged errors:\n%s", strings.Join(bad, "\n"))
		}
	})
	t.Cleanup(end)
	at, ok := <-address
	require.True(t, ok, "the service did not start: %s", &stderr)
	db, err := database.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	read := func() []logLine {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(logged)
	}
	nobody := eventlog.NewSignal(url, "nobody", slog.New(slog.DiscardHandler))
	users := &account.Store{DB: db, Changes: &change.Writer{DB: db, Events: nobody, Clock: nobody, Now: time.Now}}
	return &running{t: t, end: end, base: "http://" + at, key: key, url: url, db: db, users: users, keys: keys, pid: cmd.Process.Pid, routes: routes, env: cmd.Env, logged: read}
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

// problem is RFC 9457 as the contract has it.
type problem struct {
	Type      string
	Status    int
	Detail    string
	RequestID string `json:"request_id"`
	Errors    []struct{ Location, Message string }
}

// code is the last part of the problem's type.
func (p problem) code() string { return p.Type[strings.LastIndexByte(p.Type, '/')+1:] }

func (a answer) problem() problem {
	var p problem
	_ = json.Unmarshal(a.body, &p) // nothing is asserted of one that is none
	return p
}

// client is somebody who asks the service.
type client struct {
	*running
	token string
	user  uuid.UUID
	email string
}

func (s *running) nobody() client { return client{running: s} }

// password is everybody's, passwordHash what is stored of it.
const (
	password     = "correct horse battery"
	passwordHash = "$argon2id$v=19$m=19456,t=2,p=1$Vt6m5Puf0etMmgCxm62TVw$+U1869daPuvSjUgzN5uofwrCGrge3nwarlgcCiFgL80" //nolint:gosec // of a test
)

// newUser is somebody who has registered, and has what that gives. Only his password was not
// hashed: that takes longer than many tests, and minutes of all of them with the race detector.
func (s *running) newUser() client {
	s.t.Helper()
	hash := passwordHash
	u := &account.User{ID: uuid.Must(uuid.NewV7()), Email: uuid.NewString() + "@example.org", Timezone: "UTC", PasswordHash: &hash}
	session, err := s.users.Create(s.t.Context(), access.Origin{IP: "127.0.0.1", UserAgent: "Go-http-client/1.1", RequestID: uuid.NewString()}, u)
	require.NoError(s.t, err)
	token, _, err := s.keys.Sign(u, session.ID, time.Now())
	require.NoError(s.t, err)
	return client{running: s, token: token, user: u.ID, email: u.Email}
}

// register has somebody register.
func (s *running) register() client {
	s.t.Helper()
	email := uuid.NewString() + "@example.org"
	a := s.nobody().do(http.MethodPost, "/api/auth/register", object{"email": email, "password": password})
	require.Equal(s.t, http.StatusCreated, a.status, "%s", a.body)
	var in struct {
		Token string
		User  struct{ ID uuid.UUID }
	}
	require.NoError(s.t, json.Unmarshal(a.body, &in))
	return client{running: s, token: in.Token, user: in.User.ID, email: email}
}

// send makes a request; a string or []byte body is sent as it is, any other as JSON.
func (c client) send(ctx context.Context, method, path string, body any, header ...string) (answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	case io.Reader:
		reader = b
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, reader)
	if err != nil {
		return answer{}, err
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, raw}, err
}

func (c client) do(method, path string, body any, header ...string) answer {
	c.t.Helper()
	a, err := c.send(c.t.Context(), method, path, body, header...)
	require.NoError(c.t, err)
	return a
}

// items is what a collection answers.
func items[T any](c client, path string) []T {
	c.t.Helper()
	var page struct{ Items []T }
	a := c.do(http.MethodGet, path, nil)
	require.Equal(c.t, http.StatusOK, a.status, "%s", a.body)
	require.NoError(c.t, json.Unmarshal(a.body, &page))
	return page.Items
}

// task makes a request that is answered with a task.
func (c client) task(status int, method, path string, body any, header ...string) event.Task {
	c.t.Helper()
	a := c.do(method, path, body, header...)
	require.Equal(c.t, status, a.status, "%s %s: %s", method, path, a.body)
	var task event.Task
	require.NoError(c.t, json.Unmarshal(a.body, &task))
	return task
}

func (c client) create(body any) event.Task {
	c.t.Helper()
	return c.task(http.StatusCreated, http.MethodPost, "/api/tasks", body)
}

func at(id uuid.UUID) string { return "/api/tasks/" + id.String() }

// state is a fingerprint of all that the service keeps: each table's rows, and
// the latest transaction that wrote one of them.
func (s *running) state() string {
	s.t.Helper()
	var tables []string
	for _, table := range []string{"users", "lists", "members", "invitations", "tasks", "reminders", "comments", "trash", "events", "idempotency_keys"} {
		tables = append(tables, fmt.Sprintf("(SELECT '%[1]s: ' || count(*) || ' rows, last written by ' || coalesce(max(xmin::text::bigint), 0) FROM task.%[1]s)", table))
	}
	var out string
	require.NoError(s.t, s.db.NewRaw("SELECT "+strings.Join(tables, " || E'\\n' || ")).Scan(s.t.Context(), &out))
	return out
}

// told is an event as the log keeps it.
type told struct {
	Position int64  `bun:"position"`
	Topic    string `bun:"topic"`
	Type     string `bun:"type"`
	Key      string `bun:"key"`
	Data     string `bun:"data"`
}

// toldSince are the events behind a position, in their order.
func (s *running) toldSince(position int64) []told {
	s.t.Helper()
	var found []told
	err := s.db.NewRaw("SELECT position, topic, type, key, data FROM task.events WHERE position > ? ORDER BY position", position).Scan(s.t.Context(), &found)
	require.NoError(s.t, err)
	return found
}

func types(events []told) []string {
	out := []string{}
	for _, e := range events {
		out = append(out, e.Type)
	}
	return out
}
