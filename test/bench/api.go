package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// result is what a measurement of creates gave.
type result struct {
	requests int
	failed   int
	took     time.Duration
	times    []time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("| %.0f | %s | %s | %d |", float64(r.requests)/r.took.Seconds(), quantile(r.times, .5), quantile(r.times, .99), r.failed)
}

// api measures requests with publishing on and off and with the broker stopped.
func api(ctx context.Context) error {
	var on, off, away result
	var drained, latency, limit string
	err := with(ctx, nil, func(s *suite.Suite, u *suite.Client) error {
		var err error
		progress("creating with publishing on")
		users, err := register(ctx, s)
		if err != nil {
			return err
		}
		if on, err = create(ctx, users); err != nil {
			return err
		}
		if _, err = drain(ctx, s); err != nil {
			return err
		}
		progress("measuring from an answer to its audit row at 100 requests/s")
		if latency, err = toAudit(ctx, s, u); err != nil {
			return err
		}
		progress("creating with the broker stopped")
		if err := s.Signal("broker", syscall.SIGSTOP); err != nil {
			return err
		}
		if away, err = create(ctx, users); err != nil {
			return err
		}
		progress("draining what was kept")
		if err := s.Signal("broker", syscall.SIGCONT); err != nil {
			return err
		}
		if drained, err = drain(ctx, s); err != nil {
			return err
		}
		progress("asking pgbench for the limit")
		limit, err = pgbench(ctx, s)
		return err
	})
	if err != nil {
		return err
	}
	err = with(ctx, []string{"EVENT_PUBLISHING_ENABLED=false"}, func(s *suite.Suite, _ *suite.Client) error {
		users, err := register(ctx, s)
		if err != nil {
			return err
		}
		progress("creating with publishing off")
		off, err = create(ctx, users)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Printf("\n| POST /api/tasks | requests/s | p50 | p99 | failed |\n|---|---|---|---|---|\n| publishing on %s\n| publishing off %s\n| broker stopped %s\n\n", on, off, away)
	fmt.Printf("| | |\n|---|---|\n| log to audit row, backlog drained | %s |\n| answer of a create to its audit row, 100 requests/s | %s |\n| pgbench, the same rows in one transaction | %s |\n", drained, latency, limit)
	return nil
}

// register makes a user for each client: one alone has a share of the pool.
func register(ctx context.Context, s *suite.Suite) ([]*suite.Client, error) {
	users := make([]*suite.Client, *clients)
	for i := range users {
		var err error
		if users[i], err = s.Register(ctx, fmt.Sprintf("client%d@example.org", i), "UTC"); err != nil {
			return nil, err
		}
	}
	return users, nil
}

// create sends creates from all clients without a pause.
func create(ctx context.Context, users []*suite.Client) (result, error) {
	var all result
	var mu sync.Mutex
	var working sync.WaitGroup
	start := time.Now()
	for _, u := range users {
		working.Go(func() {
			var mine []time.Duration
			failed := 0
			for time.Since(start) < *length && ctx.Err() == nil {
				began := time.Now()
				a, err := u.Do(ctx, http.MethodPost, "/api/tasks", body())
				if err != nil || a.Status != http.StatusCreated {
					failed++
					continue
				}
				mine = append(mine, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all.requests += len(mine)
			all.failed += failed
			all.times = append(all.times, mine...)
		})
	}
	working.Wait()
	all.took = time.Since(start)
	return all, ctx.Err()
}

func body() map[string]any {
	return map[string]any{"title": "Write the figures down", "description": strings.Repeat("measured ", 20), "tags": []string{"bench"}, "priority": "low"}
}

// drain waits until every audit event is an audit row, and says how fast that went.
func drain(ctx context.Context, s *suite.Suite) (string, error) {
	conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	start, first := time.Now(), -1
	for {
		var left int
		err := conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM task.events WHERE topic = 'audit-logs') - (SELECT count(*) FROM audit.entries)").Scan(&left)
		if err != nil {
			return "", err
		}
		if first < 0 {
			first = left
		}
		if left == 0 {
			took := time.Since(start)
			return fmt.Sprintf("%d audit events in %.1f s: %.0f/s, and as many task events beside them", first, took.Seconds(), float64(first)/took.Seconds()), nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// toAudit creates at 100 requests/s and looks, every few milliseconds, which
// of the tasks have their audit row.
func toAudit(ctx context.Context, s *suite.Suite, u *suite.Client) (string, error) {
	conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var mu sync.Mutex
	answered := map[uuid.UUID]time.Time{}
	sent := 0
	var sending sync.WaitGroup
	sending.Go(func() {
		var each sync.WaitGroup
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for start := time.Now(); time.Since(start) < *length && ctx.Err() == nil; sent++ {
			<-tick.C
			each.Go(func() {
				a, err := u.Do(ctx, http.MethodPost, "/api/tasks", body())
				var t event.Task
				if err != nil || a.Status != http.StatusCreated || a.JSON(&t) != nil {
					return
				}
				mu.Lock()
				answered[t.ID] = time.Now()
				mu.Unlock()
			})
		}
		each.Wait()
	})
	done := make(chan struct{})
	go func() { sending.Wait(); close(done) }()
	var times []time.Duration
	for {
		mu.Lock()
		waiting := make([]uuid.UUID, 0, len(answered))
		for id := range answered {
			waiting = append(waiting, id)
		}
		mu.Unlock()
		rows, err := conn.Query(ctx, "SELECT task_id FROM audit.entries WHERE task_id = ANY($1)", waiting)
		if err != nil {
			return "", err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return "", err
		}
		now := time.Now()
		mu.Lock()
		for _, id := range found {
			times = append(times, now.Sub(answered[id]))
			delete(answered, id)
		}
		left := len(answered)
		mu.Unlock()
		select {
		case <-done:
			if left == 0 {
				return fmt.Sprintf("p50 %s, p99 %s (%d creates)", quantile(times, .5), quantile(times, .99), sent), nil
			}
		default:
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(3 * time.Millisecond):
		}
	}
}

// script writes the rows of one create as the API does, without the API.
const script = `
BEGIN;
WITH t AS (
	INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at, title_key, search_version)
	VALUES (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'Write the figures down', repeat('measured ', 20), false, 1, '{bench}', false, 'UTC', 1, now(), now(), repeat('k', 60)::bytea, 17)
	RETURNING id)
INSERT INTO task.search (task_id, text, keys) SELECT id, 'write the figures down ' || repeat('measured ', 20), ARRAY(SELECT i FROM generate_series(1, 45) i) FROM t;
INSERT INTO task.events (id, topic, type, key, trace_parent, occurred_at, data)
VALUES (gen_random_uuid(), 'pgbench', 'task.created', 'k', '', now(), repeat('x', 900)), (gen_random_uuid(), 'pgbench', 'audit.task.created', 'k', '', now(), repeat('x', 1200));
COMMIT;
`

func pgbench(ctx context.Context, s *suite.Suite) (string, error) {
	path, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench") // the pattern is well-formed
		if len(found) == 0 {
			return "not measured: there is no pgbench on this machine", nil
		}
		path = found[len(found)-1]
	}
	file := filepath.Join(os.TempDir(), fmt.Sprintf("taskwire-pgbench-%d.sql", os.Getpid()))
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return "", err
	}
	defer os.Remove(file)
	cmd := exec.CommandContext(ctx, path, "-n", "-f", file, "-c", fmt.Sprint(*clients), "-j", "2", "-T", fmt.Sprint(int(length.Seconds())), s.Database.OwnerURL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("pgbench: %w: %s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.HasPrefix(line, "tps") {
			return line, nil
		}
	}
	return "", fmt.Errorf("pgbench said no tps: %s", out)
}
