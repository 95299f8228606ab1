package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// feed measures what it takes to keep clients in step, and what each write pays for it.
func feed(ctx context.Context) error {
	env := []string{"EVENT_PUBLISHING_ENABLED=false", "REPLICAS=audit-log=0,recurring-task=0,notification=0", "LIMIT_MEMBERS=0"}
	return with(ctx, env, func(s *suite.Suite, u *suite.Client) error {
		conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		f := feeding{s, u, conn}
		fmt.Printf("\n| the feed | |\n|---|---|\n")
		// Streams come first: what the others leave behind in the memory is not theirs.
		for _, measure := range []func(context.Context) error{f.streams, f.oneStream, f.sync, f.snapshots, f.cost} {
			if err := measure(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// feeding is a suite whose feed is measured.
type feeding struct {
	*suite.Suite

	user *suite.Client
	conn *pgx.Conn
}

// signedIn are users with a session each, made past the API: to register a thousand would
// take minutes of hashing.
func (f feeding) signedIn(ctx context.Context, ids ...uuid.UUID) ([]*suite.Client, error) {
	all, hashes := make([]*suite.Client, len(ids)), make([][]byte, len(ids))
	for i := range ids {
		secret := "tws_" + base64.RawURLEncoding.EncodeToString(slices.Concat(ids[i][:], ids[i][:])) // of 32 bytes
		hash := sha256.Sum256([]byte(secret))
		all[i], hashes[i] = &suite.Client{Base: f.API, Token: secret}, hash[:]
	}
	_, err := f.conn.Exec(ctx, `WITH made AS (INSERT INTO task.users (id, email, created_at, updated_at) SELECT id, id || '@example.org', now(), now() FROM unnest($1::uuid[]) id)
		INSERT INTO task.sessions (id, user_id, secret, device, ip, created_at, last_seen_at, expires_at)
		SELECT gen_random_uuid(), id, secret, 'bench', '127.0.0.1', now(), now(), now() + interval '1 day' FROM unnest($1::uuid[], $2::bytea[]) s (id, secret)`, ids, hashes)
	if err != nil {
		return nil, fmt.Errorf("sign users in: %w", err)
	}
	return all, nil
}

// made sends what makes something, and answers its id.
func (f feeding) made(ctx context.Context, path string, body any) (uuid.UUID, error) {
	a, err := f.user.Do(ctx, http.MethodPost, path, body)
	if err != nil {
		return uuid.Nil, err
	}
	if a.Status != http.StatusCreated {
		return uuid.Nil, fmt.Errorf("POST %s: %d %s", path, a.Status, a.Body)
	}
	var answer struct{ ID uuid.UUID }
	return answer.ID, a.JSON(&answer)
}

// rename changes a task.
func (f feeding) rename(ctx context.Context, u *suite.Client, id uuid.UUID, title string) error {
	a, err := u.Do(ctx, http.MethodPatch, "/api/tasks/"+id.String(), map[string]string{"title": title}, "Content-Type", "application/merge-patch+json")
	if err == nil && a.Status != http.StatusOK {
		err = fmt.Errorf("change a task: %d %s", a.Status, a.Body)
	}
	return err
}

// shared is a list of the user's with a task, and so many members more.
func (f feeding) shared(ctx context.Context, members int) (task uuid.UUID, all []*suite.Client, err error) {
	list, err := f.made(ctx, "/api/lists", map[string]string{"name": "Shared"})
	if err != nil {
		return task, nil, err
	}
	if task, err = f.made(ctx, "/api/tasks", map[string]any{"title": "Watched", "list_id": list}); err != nil {
		return task, nil, err
	}
	ids := make([]uuid.UUID, members)
	for i := range ids {
		ids[i] = uuid.New()
	}
	if all, err = f.signedIn(ctx, ids...); err != nil {
		return task, nil, err
	}
	_, err = f.conn.Exec(ctx, "INSERT INTO task.members (user_id, list_id, role, position, since) SELECT id, $1, 'editor', 1, now() FROM unnest($2::uuid[]) id", list, ids)
	if err != nil {
		return task, nil, fmt.Errorf("make members of a list: %w", err)
	}
	return task, all, nil
}

const (
	// restFor is how long it is seen what streams cost at rest: each has four heartbeats in
	// it, and is once written to have been used.
	restFor = time.Minute
	// settling is how long the service has for what is left of opening them.
	settling = 5 * time.Second
)

// streams measures what many open streams take, and how soon all have a change.
func (f feeding) streams(ctx context.Context) error {
	task, members, err := f.shared(ctx, *watchers)
	if err != nil {
		return err
	}
	progress("leaving the suite alone for %s", restFor)
	none, err := f.atRest(ctx)
	if err != nil {
		return err
	}
	before, err := readMemory(f.Suite, "task-api")
	if err != nil {
		return err
	}
	progress("opening %d streams", *watchers)
	all, err := listen(ctx, members)
	if err != nil {
		return err
	}
	defer all.stop()
	progress("leaving them alone for %s", restFor)
	if err := pause(ctx, settling); err != nil {
		return err
	}
	open, err := f.atRest(ctx)
	if err != nil {
		return err
	}
	held, err := readMemory(f.Suite, "task-api")
	if err != nil {
		return err
	}
	const changes = 20
	progress("telling them of %d changes", changes)
	var half, last []time.Duration
	for n := range changes {
		told, err := f.tellOf(ctx, all, task, n)
		if err != nil {
			return err
		}
		half, last = append(half, figures.Quantile(told, .5)), append(last, slices.Max(told))
	}
	after, err := readMemory(f.Suite, "task-api")
	if err != nil {
		return err
	}
	fmt.Printf("| memory of task-api with no stream; with %d; after %d changes for all of them | %s; %s; %s |\n", *watchers, changes, before, held, after)
	fmt.Printf("| CPU ms in a second at rest, task-api and Postgres: no stream; %d | %s; %s |\n", *watchers, none, open)
	fmt.Printf("| answer of a change to half of %d streams: median, slowest of %d | %s, %s |\n", *watchers, changes, quantile(half, .5), figures.Milliseconds(slices.Max(half)))
	fmt.Printf("| to the last of them | %s, %s |\n", quantile(last, .5), figures.Milliseconds(slices.Max(last)))
	return nil
}

// oneStream measures how soon somebody has a change who alone waits.
func (f feeding) oneStream(ctx context.Context) error {
	task, members, err := f.shared(ctx, 1)
	if err != nil {
		return err
	}
	one, err := listen(ctx, members)
	if err != nil {
		return err
	}
	defer one.stop()
	const changes = 200
	progress("telling one stream of %d changes", changes)
	var times []time.Duration
	for n := range changes {
		told, err := f.tellOf(ctx, one, task, n)
		if err != nil {
			return err
		}
		times = append(times, told...)
	}
	fmt.Printf("| answer of a change to the only stream: p50, p99 of %d | %s, %s |\n", changes, quantile(times, .5), quantile(times, .99))
	return nil
}

// tellOf changes the task for the nth time, and says how long after the answer each stream had it.
func (f feeding) tellOf(ctx context.Context, to *audience, task uuid.UUID, n int) ([]time.Duration, error) {
	// Not at a beat with what the service does now and then.
	if err := pause(ctx, 50*time.Millisecond+rand.N(50*time.Millisecond)); err != nil {
		return nil, err
	}
	title := fmt.Sprintf("Watched for the time %d.", n)
	return to.hear(ctx, title, func() error { return f.rename(ctx, f.user, task, title) })
}

// work is the CPU time in a second of what serves streams, in milliseconds.
type work struct{ service, postgres float64 }

func (w work) String() string { return figure(w.service) + " and " + figure(w.postgres) }

func (f feeding) atRest(ctx context.Context) (work, error) {
	pids, err := f.PIDs()
	if err != nil {
		return work{}, err
	}
	before, err := worked(pids)
	if err != nil {
		return work{}, err
	}
	if err := pause(ctx, restFor); err != nil {
		return work{}, err
	}
	after, err := worked(pids)
	of := func(name string) float64 { return (after[name] - before[name]) / restFor.Seconds() }
	return work{of("task-api"), of("postgres")}, err
}

// sync measures how soon a client with many tasks has what has changed since it asked.
func (f feeding) sync(ctx context.Context) error {
	const changed, rounds = 100, 20
	me, err := f.user.Do(ctx, http.MethodGet, "/api/auth/me", nil)
	if err != nil {
		return err
	}
	var user struct{ ID uuid.UUID }
	if err := me.JSON(&user); err != nil {
		return err
	}
	tasks, err := f.write(ctx, user.ID, *own)
	if err != nil {
		return err
	}
	var times []time.Duration
	progress("asking %d times for %d changes", rounds, changed)
	since, err := f.begin(ctx, f.user)
	if err != nil {
		return err
	}
	for n := range rounds {
		for range changed {
			// A task twice would be one change.
			at := rand.IntN(len(tasks))
			if err := f.rename(ctx, f.user, tasks[at], fmt.Sprint("Changed in round ", n)); err != nil {
				return err
			}
			tasks = slices.Delete(tasks, at, at+1)
		}
		took, next, err := f.changes(ctx, since, changed)
		if err != nil {
			return err
		}
		times, since = append(times, took), next
	}
	fmt.Printf("| GET /api/changes, %d of %d tasks: median, slowest of %d | %s, %s |\n", changed, *own, rounds, quantile(times, .5), figures.Milliseconds(slices.Max(times)))
	return nil
}

// changes asks until all changes are settled, which are to be so many, and says how long the
// answer took that had them.
func (f feeding) changes(ctx context.Context, since string, want int) (time.Duration, string, error) {
	for deadline := time.Now().Add(30 * time.Second); ; {
		began := time.Now()
		a, err := f.user.Do(ctx, http.MethodGet, "/api/changes?since="+since, nil)
		took := time.Since(began)
		if err != nil {
			return 0, "", err
		}
		var p struct {
			Changes []struct{ Op string }
			Next    string
		}
		if err := a.JSON(&p); err != nil || a.Status != http.StatusOK {
			return 0, "", errors.Join(err, fmt.Errorf("ask for changes: %d %s", a.Status, a.Body))
		}
		if len(p.Changes) == want {
			return took, p.Next, nil
		}
		if len(p.Changes) > want || time.Now().After(deadline) {
			return 0, "", fmt.Errorf("%d changes, not %d", len(p.Changes), want)
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return 0, "", err
		}
	}
}

// write writes tasks past the API into the inbox of a user, and answers them.
func (f feeding) write(ctx context.Context, user uuid.UUID, n int) ([]uuid.UUID, error) {
	progress("writing %d tasks", n)
	rows, err := f.conn.Query(ctx, `INSERT INTO task.tasks (id, user_id, list_id, position, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at, title_key, search_version)
		SELECT gen_random_uuid(), $1, i.inbox, n, 'Task ' || n, repeat('measured ', 20), false, 1, '{bench}', false, 'UTC', 1, now() - n * interval '1 second', now(), decode(md5(n::text), 'hex'), 17
		FROM task.make_inbox($1) i (inbox), generate_series(1, $2) n RETURNING id`, user, n)
	if err != nil {
		return nil, fmt.Errorf("write tasks: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("write tasks: %w", err)
	}
	_, err = f.conn.Exec(ctx, "VACUUM ANALYZE task.tasks, task.feed") // as Postgres would in time
	return tasks, err
}

// begin reads a snapshot no further than the place to go on from.
func (f feeding) begin(ctx context.Context, u *suite.Client) (string, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	body, err := follow(ctx, http.DefaultTransport, u, "/api/snapshot")
	if err != nil {
		return "", err
	}
	defer body.Close()
	line, err := bufio.NewReader(body).ReadBytes('\n')
	if err != nil {
		return "", fmt.Errorf("read a snapshot: %w", err)
	}
	var first struct{ Next string }
	err = suite.Answer{Body: line}.JSON(&first)
	return first.Next, err
}

// snapshots measures those of few tasks and of many: the memory should be the same.
func (f feeding) snapshots(ctx context.Context) error {
	id := uuid.New()
	few, err := f.signedIn(ctx, id)
	if err != nil {
		return err
	}
	if _, err := f.write(ctx, id, *own/10); err != nil {
		return err
	}
	for _, one := range []struct {
		user  *suite.Client
		tasks int
	}{{few[0], *own / 10}, {f.user, *own}} {
		progress("reading a snapshot of %d tasks", one.tasks)
		before, err := readMemory(f.Suite, "task-api")
		if err != nil {
			return err
		}
		most := before
		look := time.NewTicker(20 * time.Millisecond)
		began := time.Now()
		read := make(chan error, 1)
		var lines int
		var size int64
		go func() {
			var err error
			lines, size, err = f.snapshot(ctx, one.user)
			read <- err
		}()
		for reading := true; reading; {
			select {
			case err := <-read:
				if err != nil {
					return err
				}
				reading = false
			case <-look.C:
				now, err := readMemory(f.Suite, "task-api")
				if err != nil {
					return err
				}
				if now.resident > most.resident {
					most = now
				}
			}
		}
		look.Stop()
		fmt.Printf("| GET /api/snapshot of %d tasks | %.1f s, %d lines, %d MB |\n", one.tasks, time.Since(began).Seconds(), lines, size>>20)
		fmt.Printf("| memory of task-api before; at most meanwhile | %s; %s |\n", before, most)
	}
	return nil
}

// snapshot reads all of it.
func (f feeding) snapshot(ctx context.Context, u *suite.Client) (lines int, size int64, err error) {
	body, err := follow(ctx, http.DefaultTransport, u, "/api/snapshot")
	if err != nil {
		return 0, 0, err
	}
	defer body.Close()
	for buffer := make([]byte, 64<<10); ; {
		n, err := body.Read(buffer)
		lines, size = lines+bytes.Count(buffer[:n], []byte("\n")), size+int64(n)
		if errors.Is(err, io.EOF) {
			return lines, size, nil
		}
		if err != nil {
			return lines, size, fmt.Errorf("read a snapshot: %w", err)
		}
	}
}

// cost measures creates with the triggers that write the feed, and without.
func (f feeding) cost(ctx context.Context) error {
	const clients = 8
	users, err := register(ctx, f.Suite, clients)
	if err != nil {
		return err
	}
	rates := map[bool]sample{}
	for n := range *rounds + 1 {
		// Whoever is second finds warmer caches, and a larger table.
		for _, on := range []bool{n%2 == 0, n%2 == 1} {
			progress("round %d of %d of creates, feed %t", n, *rounds, on)
			if err := tell(ctx, f.conn, on); err != nil {
				return err
			}
			l, err := closed(ctx, users, clients, during(*length))
			if err != nil {
				return err
			}
			if l.failed > 0 {
				return fmt.Errorf("%d creates failed", l.failed)
			}
			if n > 0 { // the first warms up
				rates[on] = append(rates[on], l.rate())
			}
		}
	}
	fmt.Printf("| creates a second by %d clients with the feed; without | %s; %s |\n", clients, rates[true], rates[false])
	fmt.Printf("| with ÷ without | %s |\n", rates[true].over(rates[false]))
	return tell(ctx, f.conn, true)
}

// tell turns the triggers on, or off, that write the feed.
func tell(ctx context.Context, conn *pgx.Conn, on bool) error {
	rows, err := conn.Query(ctx, `SELECT format('ALTER TABLE %s %s TRIGGER %I', tgrelid::regclass, CASE WHEN $1 THEN 'ENABLE' ELSE 'DISABLE' END, tgname)
		FROM pg_trigger WHERE tgfoid::regproc::text ~ '^task[.]tell_' ORDER BY tgrelid, tgname`, on)
	if err != nil {
		return fmt.Errorf("find the feed's triggers: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return fmt.Errorf("find the feed's triggers: %w", err)
	}
	if len(all) == 0 {
		return errors.New("the feed has no triggers")
	}
	for _, alter := range all {
		if _, err := conn.Exec(ctx, alter); err != nil {
			return fmt.Errorf("%s: %w", alter, err)
		}
	}
	return nil
}

// follow asks for an answer that is read as it comes. Whoever has it closes it.
func follow(ctx context.Context, way http.RoundTripper, u *suite.Client, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.Base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	req.Header.Set("Authorization", "Bearer "+u.Token)
	res, err := way.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", path, err)
	}
	if res.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(res.Body, 1000))
		return nil, errors.Join(fmt.Errorf("GET %s: %d %s", path, res.StatusCode, text), err, res.Body.Close())
	}
	return res.Body, nil
}

// audience are open streams.
type audience struct {
	streams int
	awaited atomic.Pointer[string] // what each is to have next
	heard   chan time.Time         // when one has it
	ended   chan error             // of one that should not have
	stop    func()                 // closes them
}

// listen opens a stream for each user.
func listen(ctx context.Context, users []*suite.Client) (*audience, error) {
	ctx, cancel := context.WithCancel(ctx)
	a := &audience{streams: len(users), heard: make(chan time.Time, len(users)), ended: make(chan error, len(users))}
	way := &http.Transport{} // none shares a connection
	var reading sync.WaitGroup
	a.stop = func() {
		cancel()
		reading.Wait()
		way.CloseIdleConnections()
	}
	var opening errgroup.Group
	opening.SetLimit(8)
	for _, u := range users {
		opening.Go(func() error {
			body, err := follow(ctx, way, u, "/api/stream")
			if err != nil {
				return err
			}
			reading.Go(func() {
				defer body.Close()
				a.read(body)
			})
			return nil
		})
	}
	if err := opening.Wait(); err != nil {
		a.stop()
		return nil, err
	}
	return a, nil
}

// read takes the time of what is awaited, until the stream ends.
func (a *audience) read(stream io.Reader) {
	lines := bufio.NewReaderSize(stream, 2<<10)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			a.ended <- fmt.Errorf("a stream has ended: %w", err)
			return
		}
		if awaited := a.awaited.Load(); awaited != nil && strings.HasPrefix(line, "data:") && strings.Contains(line, *awaited) {
			a.heard <- time.Now()
		}
	}
}

// hear writes something that is to come to all streams with a text, and says how long after
// the answer each had it.
func (a *audience) hear(ctx context.Context, text string, write func() error) ([]time.Duration, error) {
	ctx, stop := context.WithTimeout(ctx, time.Minute)
	defer stop()
	a.awaited.Store(&text)
	if err := write(); err != nil {
		return nil, err
	}
	answered := time.Now()
	var times []time.Duration
	for len(times) < a.streams {
		select {
		case at := <-a.heard:
			times = append(times, max(0, at.Sub(answered))) // it may be there before the answer
		case err := <-a.ended:
			return nil, err
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d streams have it: %w", len(times), a.streams, ctx.Err())
		}
	}
	return times, nil
}
