package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// side is a version of the suite, once with publishing and once without. All run all the
// time, and are asked in turn: a noisy moment of the machine falls on each.
type side struct {
	name    string
	on, off instance
}

type instance struct {
	dir   string // of its state
	suite *suite.Suite
	users []*suite.Client
}

// series are the values of one figure, round by round.
type series []float64

func (s series) String() string {
	if len(s) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", short(median(s)), short(slices.Min(s)), short(slices.Max(s)))
}

func short(v float64) string {
	if v < 10 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 0, 64)
}

// table are figures by their rows and columns, in the order in which they came.
type table struct {
	title         string
	rows, columns []string
	cells         map[[2]string]series
}

func (t *table) add(row, column string, value float64) {
	if t.cells == nil {
		t.cells = map[[2]string]series{}
	}
	if !slices.Contains(t.rows, row) {
		t.rows = append(t.rows, row)
	}
	if !slices.Contains(t.columns, column) {
		t.columns = append(t.columns, column)
	}
	t.cells[[2]string{row, column}] = append(t.cells[[2]string{row, column}], value)
}

// ratio adds a row of the medians of one divided by those of another.
func (t *table) ratio(one, by string) {
	for _, column := range t.columns {
		a, b := t.cells[[2]string{one, column}], t.cells[[2]string{by, column}]
		if len(a) > 0 && len(b) > 0 && median(b) > 0 {
			t.add(one+" ÷ "+by, column, median(a)/median(b))
		}
	}
}

func (t *table) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n| %s | %s |\n|%s\n", t.title, strings.Join(t.columns, " | "), strings.Repeat("---|", len(t.columns)+1))
	for _, row := range t.rows {
		fmt.Fprintf(&out, "| %s |", row)
		for _, column := range t.columns {
			cell := t.cells[[2]string{row, column}]
			if len(cell) == 1 {
				fmt.Fprintf(&out, " %s |", short(cell[0]))
			} else {
				fmt.Fprintf(&out, " %s |", cell)
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// crowds are how many clients there are at once.
var crowds = []int{1, 16, 64}

// What a create is compared with.
const (
	limit   = "pgbench, the same rows"
	fastapi = "FastAPI, one row"
)

// api measures what a create costs: with publishing on and off, beside pgbench, another
// stack and, with -base, another commit; how late it is at a fixed rate; and how fast a
// backlog is worked off.
func api(ctx context.Context) error {
	return beside(ctx, func(sides []side) (err error) {
		progress("starting the other stack")
		other, err := startFastAPI(ctx, sides[0].off.suite)
		if errors.Is(err, errNoPython) {
			fmt.Fprintln(os.Stderr, err)
		} else if err != nil {
			return err
		} else {
			defer func() { err = errors.Join(err, other.stop()) }()
		}
		rates := &table{title: "creates a second, median (spread)"}
		cost := &table{title: "CPU of a create in ms, all of it arrived"}
		open := &table{title: "at 100 creates/s, in ms"}
		backlog := &table{title: "broker stopped"}
		for round := range *rounds {
			for _, clients := range crowds {
				column := fmt.Sprintf("%d clients", clients)
				for _, s := range sides {
					progress("round %d: %s of %s create with publishing on and off", round+1, column, s.name)
					if err := s.create(ctx, clients, column, rates, cost); err != nil {
						return err
					}
				}
				rate, err := pgbench(ctx, sides[0].off.suite, clients)
				if err != nil {
					return err
				}
				if rate > 0 {
					rates.add(limit, column, rate)
				}
				if other == nil {
					continue
				}
				made, err := create(ctx, other.clients[:clients])
				if err != nil {
					return err
				}
				rates.add(fastapi, column, made.rate())
			}
			for _, s := range sides {
				progress("round %d: 100 creates/s of %s", round+1, s.name)
				if err := s.atRate(ctx, open); err != nil {
					return err
				}
				progress("round %d: a backlog of %s", round+1, s.name)
				if err := s.backlog(ctx, backlog); err != nil {
					return err
				}
			}
		}
		for _, s := range sides {
			rates.ratio(s.name+", publishing off", limit)
			rates.ratio(s.name+", publishing on", limit)
			rates.ratio(s.name+", publishing on", fastapi)
			open.ratio(s.name+", publishing on", s.name+", publishing off")
		}
		if len(sides) > 1 {
			rates.ratio(sides[0].name+", publishing on", sides[1].name+", publishing on")
			rates.ratio(sides[0].name+", publishing off", sides[1].name+", publishing off")
			cost.ratio("all of "+sides[0].name, "all of "+sides[1].name)
			backlog.ratio(sides[0].name, sides[1].name)
		}
		fmt.Print(rates, cost, open, backlog)
		return nil
	})
}

// create has so many clients of each instance create without a pause.
func (s side) create(ctx context.Context, clients int, column string, rates, cost *table) error {
	before, err := cpu(s.on.suite)
	if err != nil {
		return err
	}
	on, err := create(ctx, s.on.users[:clients])
	if err != nil {
		return err
	}
	if _, _, err := drain(ctx, s.on.suite); err != nil {
		return err
	}
	after, err := cpu(s.on.suite)
	if err != nil {
		return err
	}
	off, err := create(ctx, s.off.users[:clients])
	if err != nil {
		return err
	}
	if on.failed+off.failed > 0 {
		return fmt.Errorf("%d creates failed", on.failed+off.failed)
	}
	rates.add(s.name+", publishing on", column, on.rate())
	rates.add(s.name+", publishing off", column, off.rate())
	all := 0.0
	for _, name := range processes(s.on.suite) {
		each := (after[name] - before[name]).Seconds() * 1000 / float64(len(on.times))
		cost.add(name+" of "+s.name, column, each)
		all += each
	}
	cost.add("all of "+s.name, column, all)
	return nil
}

func (s side) atRate(ctx context.Context, open *table) error {
	for _, published := range []bool{true, false} {
		row, in := s.name+", publishing off", s.off
		if published {
			row, in = s.name+", publishing on", s.on
		}
		creates, audits, err := openLoop(ctx, in.suite, in.users[0], published)
		if err != nil {
			return err
		}
		add := func(what string, times []time.Duration) {
			for _, q := range []float64{.5, .99} {
				open.add(row, fmt.Sprintf("%s, p%.0f", what, q*100), figures.Quantile(times, q).Seconds()*1000)
			}
		}
		if add("answer", creates); published {
			add("answer to audit row", audits)
		}
	}
	return nil
}

// backlog has the broker stand still meanwhile, and looks how fast what was kept arrives.
func (s side) backlog(ctx context.Context, backlog *table) error {
	if err := s.on.suite.Signal("broker", syscall.SIGSTOP); err != nil {
		return err
	}
	stopped, err := create(ctx, s.on.users[:16])
	if err := errors.Join(err, s.on.suite.Signal("broker", syscall.SIGCONT)); err != nil {
		return err
	}
	_, rate, err := drain(ctx, s.on.suite)
	if err != nil {
		return err
	}
	backlog.add(s.name, "creates a second", stopped.rate())
	backlog.add(s.name, "audit events a second from the backlog, beside as many task events", rate)
	return nil
}

// beside starts this version of the suite, and that of -base, and does work.
func beside(ctx context.Context, work func([]side) error) (err error) {
	trees := map[string]string{"this": "."}
	names := []string{"this"}
	if *base != "" {
		tree, failed := os.MkdirTemp("", "taskwire-base-")
		if failed != nil {
			return failed
		}
		defer func() {
			err = errors.Join(err, git(context.WithoutCancel(ctx), "worktree", "remove", "--force", tree))
		}()
		if err := git(ctx, "worktree", "add", "--detach", tree, *base); err != nil {
			return err
		}
		trees["base"], names = tree, append(names, "base")
	}
	var sides []side
	for _, name := range names {
		s := side{name: name}
		for published, to := range map[string]*instance{"true": &s.on, "false": &s.off} {
			progress("starting %s, publishing: %s", name, published)
			if *to, err = start(ctx, trees[name], "EVENT_PUBLISHING_ENABLED="+published); err != nil {
				return err
			}
			defer func() { err = errors.Join(err, to.stop()) }()
		}
		sides = append(sides, s)
	}
	return work(sides)
}

// start runs the suite of a tree, with a user for each client.
func start(ctx context.Context, tree string, env ...string) (in instance, err error) {
	home, err := os.Getwd()
	if err != nil {
		return in, err
	}
	if in.dir, err = suite.NewDir("bench"); err != nil {
		return in, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(in.dir))
		}
	}()
	if err := os.Chdir(tree); err != nil {
		return in, err
	}
	in.suite, err = suite.Start(ctx, in.dir, append(suite.WithoutLimits(), env...)...)
	if err := errors.Join(err, os.Chdir(home)); err != nil {
		return in, err
	}
	if in.users, err = register(ctx, in.suite, slices.Max(crowds)); err != nil {
		return in, errors.Join(err, in.suite.Stop())
	}
	return in, nil
}

func (in instance) stop() error { return errors.Join(in.suite.Stop(), os.RemoveAll(in.dir)) }

func git(ctx context.Context, args ...string) error {
	if out, err := exec.CommandContext(ctx, "git", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// result is what a measurement of creates gave.
type result struct {
	failed int
	took   time.Duration
	times  []time.Duration
}

func (r result) rate() float64 { return float64(len(r.times)) / r.took.Seconds() }

// register makes a user for each client: one alone has a share of the pool.
func register(ctx context.Context, s *suite.Suite, clients int) ([]*suite.Client, error) {
	users := make([]*suite.Client, clients)
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

// drain waits until every audit event is an audit row, and says how many were not, and
// how many of them became one in a second.
func drain(ctx context.Context, s *suite.Suite) (left int, rate float64, err error) {
	conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	start, first := time.Now(), -1
	for {
		err := conn.QueryRow(ctx, "SELECT (SELECT count(*) FROM task.events WHERE topic = 'audit-logs') - (SELECT count(*) FROM audit.entries)").Scan(&left)
		if err != nil {
			return 0, 0, err
		}
		if first < 0 {
			first = left
		}
		if left == 0 {
			return first, float64(first) / time.Since(start).Seconds(), nil
		}
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// openLoop creates at 100 requests/s, whatever becomes of those before. Of each it has
// the time from when it was to be sent to its answer, and where audited from there to
// its audit row, looked for every few milliseconds.
func openLoop(ctx context.Context, s *suite.Suite, u *suite.Client, audited bool) (creates, audits []time.Duration, err error) {
	conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
	if err != nil {
		return nil, nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	const pause = 10 * time.Millisecond
	var mu sync.Mutex
	answered := map[uuid.UUID]time.Time{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var each sync.WaitGroup
		for due, end := time.Now(), time.Now().Add(*length); due.Before(end) && ctx.Err() == nil; due = due.Add(pause) {
			time.Sleep(time.Until(due))
			each.Go(func() {
				a, err := u.Do(ctx, http.MethodPost, "/api/tasks", body())
				var t event.Task
				if err != nil || a.Status != http.StatusCreated || a.JSON(&t) != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				creates = append(creates, time.Since(due))
				if audited {
					answered[t.ID] = time.Now()
				}
			})
		}
		each.Wait()
	}()
	for sent := false; ; {
		mu.Lock()
		waiting := slices.Collect(maps.Keys(answered))
		mu.Unlock()
		if sent && len(waiting) == 0 {
			return creates, audits, ctx.Err()
		}
		rows, err := conn.Query(ctx, "SELECT task_id FROM audit.entries WHERE task_id = ANY($1)", waiting)
		if err != nil {
			return nil, nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return nil, nil, err
		}
		now := time.Now()
		mu.Lock()
		for _, id := range found {
			audits = append(audits, now.Sub(answered[id]))
			delete(answered, id)
		}
		mu.Unlock()
		select {
		case <-done:
			sent = true
		default:
		}
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
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

// pgbench is how many of them it writes in a second; 0 where there is none on this machine.
func pgbench(ctx context.Context, s *suite.Suite, clients int) (float64, error) {
	path, err := exec.LookPath("pgbench")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/pgbench") // the pattern is well-formed
		if len(found) == 0 {
			progress("there is no pgbench on this machine")
			return 0, nil
		}
		path = found[len(found)-1]
	}
	file := filepath.Join(os.TempDir(), fmt.Sprintf("taskwire-pgbench-%d.sql", os.Getpid()))
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		return 0, err
	}
	defer os.Remove(file)
	cmd := exec.CommandContext(ctx, path, "-n", "-f", file, "-c", strconv.Itoa(clients), "-j", strconv.Itoa(min(clients, 2)), "-T", fmt.Sprint(int(length.Seconds())), s.Database.OwnerURL)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("pgbench: %w: %s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if tps, ok := strings.CutPrefix(line, "tps = "); ok {
			tps, _, _ = strings.Cut(tps, " ")
			return strconv.ParseFloat(tps, 64)
		}
	}
	return 0, fmt.Errorf("pgbench said no tps: %s", out)
}
