package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/test/suite"
)

// field is the suite with those who act on it.
type field struct {
	suite    *suite.Suite
	db       *pgxpool.Pool
	rng      *rand.Rand
	networks int
	serial   int
	accounts []*suite.Client          // of attackers
	writers  map[string]*suite.Client // of tasks of a kind
	has      map[string]bool          // which attackers have copies of them
}

func newField(s *suite.Suite, db *pgxpool.Pool, rng *rand.Rand) *field {
	return &field{suite: s, db: db, rng: rng, writers: map[string]*suite.Client{}, has: map[string]bool{}}
}

// network gives an address of a network where nobody has been before.
func (f *field) network() string {
	f.networks++
	return fmt.Sprintf("10.%d.%d.1", f.networks>>8&255, f.networks&255)
}

// stranger is a client without an account; its address is nobody's.
func (f *field) stranger(name string) *suite.Client {
	f.serial++
	return &suite.Client{Base: f.suite.API, Email: fmt.Sprintf("%s%d@example.org", name, f.serial), Address: f.network()}
}

// account is a client with an account, which it has made from its own network.
// The answer has the cookies of that device.
func (f *field) account(ctx context.Context, name string) (*suite.Client, suite.Answer, error) {
	c := f.stranger(name)
	a, err := c.Register(ctx, "UTC")
	return c, a, err
}

func (f *field) newLoad(ctx context.Context, own *http.Transport, rng *rand.Rand) (*load, error) {
	l := &load{rng: rng, current: &noticed{}}
	for range users {
		c, _, err := f.account(ctx, "user")
		if err != nil {
			return nil, err
		}
		c.Transport = own
		l.users = append(l.users, &user{Client: c})
	}
	return l, nil
}

// originals are the tasks of a kind that are written; the rest are copies.
const originals = 20

// write gives each of the attackers a number of tasks of a kind, a multiple of
// the originals. One client writes those, the attackers get copies of what came
// of it: it would take minutes otherwise.
func (f *field) write(ctx context.Context, clients []*suite.Client, kind string, number int, description func() string) error {
	writer := f.writers[kind]
	if writer == nil {
		progress("  writing tasks of %s", kind)
		var err error
		if writer, _, err = f.account(ctx, "writer"); err != nil {
			return err
		}
		for range originals {
			a, err := writer.Do(ctx, http.MethodPost, "/api/tasks", map[string]any{"title": kind, "description": description()})
			if err != nil {
				return err
			}
			if a.Status != http.StatusCreated {
				return fmt.Errorf("write a task: %d %s", a.Status, a.Body)
			}
		}
		f.writers[kind] = writer
	}
	var emails []string
	for _, c := range clients {
		if key := kind + " " + c.Email; !f.has[key] {
			f.has[key] = true
			emails = append(emails, c.Email)
		}
	}
	// Whatever columns there are, but those that the database computes.
	var columns, values string
	err := f.db.QueryRow(ctx, `SELECT string_agg(quote_ident(column_name), ', ' ORDER BY ordinal_position),
			string_agg(CASE column_name WHEN 'id' THEN 'gen_random_uuid()' WHEN 'user_id' THEN 'u.id' ELSE 't.' || quote_ident(column_name) END, ', ' ORDER BY ordinal_position)
		FROM information_schema.columns WHERE table_schema = 'task' AND table_name = 'tasks' AND is_generated = 'NEVER'`).Scan(&columns, &values)
	if err != nil {
		return fmt.Errorf("read the columns of the tasks: %w", err)
	}
	_, err = f.db.Exec(ctx, `INSERT INTO task.tasks (`+columns+`) SELECT `+values+` FROM task.tasks t CROSS JOIN task.users u CROSS JOIN generate_series(1, $3)
		WHERE u.email = ANY($1) AND t.user_id = (SELECT id FROM task.users WHERE email = $2)`, emails, writer.Email, number/originals)
	if err == nil {
		_, err = f.db.Exec(ctx, "ANALYZE task.tasks") // as autovacuum does within a minute
	}
	if err != nil {
		return fmt.Errorf("copy the tasks: %w", err)
	}
	return nil
}

// stage is one attack by a number of clients.
type stage struct {
	*field
	clients   int
	transport *http.Transport // of the attackers

	mu  sync.Mutex
	got map[string]int
}

// attackers are as many as the stage has, with accounts, each in a network of
// its own.
func (st *stage) attackers(ctx context.Context) ([]*suite.Client, error) {
	for len(st.accounts) < st.clients {
		c, _, err := st.account(ctx, "attacker")
		if err != nil {
			return nil, err
		}
		st.accounts = append(st.accounts, c)
	}
	return st.equip(st.accounts[:st.clients]), nil
}

// strangers are as many without accounts.
func (st *stage) strangers() []*suite.Client {
	clients := make([]*suite.Client, st.clients)
	for i := range clients {
		clients[i] = st.stranger("stranger")
	}
	return st.equip(clients)
}

func (st *stage) equip(clients []*suite.Client) []*suite.Client {
	for _, c := range clients {
		c.Transport = st.transport
	}
	return clients
}

// answer notes what an attacker got.
func (st *stage) answer(what string) {
	st.mu.Lock()
	defer st.mu.Unlock()
	st.got[what]++
}

func (st *stage) answers() map[string]int {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.got
}

// effort is what each client of an attack does: one puts more into it than
// each of many.
type effort struct {
	connections int           // of each client, side by side
	every       time.Duration // at most one request of each connection in this time
}

func (st *stage) effort(one, each effort) effort {
	if st.clients == 1 {
		return one
	}
	return each
}

// refusalPause is how long a client waits that was told to wait. The clients
// share the cores with the suite: without it they would take them for nothing.
const refusalPause = 100 * time.Millisecond

// keep does something again and again until ctx ends, from all connections of
// all clients. act gives the status of the answer, or 0.
func keep(ctx context.Context, clients []*suite.Client, e effort, act func(ctx context.Context, c *suite.Client, i int) (status int)) {
	var acting sync.WaitGroup
	defer acting.Wait()
	for n, c := range clients {
		for m := range e.connections {
			// The connections do not begin at the same moment.
			wait := e.every * time.Duration(n*e.connections+m) / time.Duration(len(clients)*e.connections)
			acting.Go(func() {
				if !sleep(ctx, wait) {
					return
				}
				for i := m; ctx.Err() == nil; i += e.connections {
					next := time.Now().Add(e.every)
					if status := act(ctx, c, i); refused(status) && time.Until(next) < refusalPause {
						next = time.Now().Add(refusalPause)
					}
					sleep(ctx, time.Until(next))
				}
			})
		}
	}
}

func refused(status int) bool {
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

// ask sends an attacker's request and notes its answer. Status is 0 where
// there is none.
func (st *stage) ask(ctx context.Context, c *suite.Client, method, path string, body any, header ...string) (status int) {
	a, err := c.Do(ctx, method, path, body, header...)
	switch {
	case ctx.Err() != nil:
		st.answer("still waiting at the end")
	case err != nil:
		st.answer("no answer")
	default:
		st.answer(fmt.Sprint(a.Status))
	}
	return a.Status
}

// dial opens a connection that ends with ctx.
func (st *stage) dial(ctx context.Context) (conn net.Conn, end func(), err error) {
	conn, err = new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(st.suite.API, "http://"))
	if err != nil {
		return nil, nil, err
	}
	closed := context.AfterFunc(ctx, func() { _ = conn.Close() }) // it is the end of it
	return conn, func() { closed(); _ = conn.Close() }, nil
}

// raw is a request as it goes over the wire; length is that of the body that
// it announces.
func raw(c *suite.Client, method, path string, length int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: taskwire\r\nX-Forwarded-For: %s\r\n", method, path, c.Address)
	if c.Token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", c.Token)
	}
	if length > 0 {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", length)
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// readStatus reads the first twelve bytes of an answer, and no more.
func readStatus(conn net.Conn) (int, error) {
	line := make([]byte, len("HTTP/1.1 200"))
	for n := 0; n < len(line); {
		m, err := conn.Read(line[n:])
		if n += m; err != nil {
			return 0, err
		}
	}
	var status int
	if _, err := fmt.Sscanf(string(line), "HTTP/1.1 %d", &status); err != nil {
		return 0, errors.New("not an answer: " + string(line))
	}
	return status, nil
}
