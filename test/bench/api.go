package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// round is what one round of a subject gave. A time is in milliseconds.
type round struct {
	rate, p50, p99 float64 // rate is by the second
	failed         int
	cpu            map[string]float64 // for one create, by process
}

// total is the CPU time of one create in all processes but the client.
func (r round) total() float64 {
	sum := -r.cpu[client]
	for _, ms := range r.cpu {
		sum += ms
	}
	return sum
}

func (l load) round() round {
	return round{rate: l.rate(), p50: milliseconds(figures.Quantile(l.times, .5)), p99: milliseconds(figures.Quantile(l.times, .99)), failed: l.failed}
}

// watched runs a round, and divides what its processes have worked meanwhile by what
// was created.
func watched(pids func() (map[string]int, error), f func() (r round, created int, err error)) (round, error) {
	running, err := pids()
	if err != nil {
		return round{}, err
	}
	before, err := worked(running)
	if err != nil {
		return round{}, err
	}
	r, created, err := f()
	if err != nil {
		return r, err
	}
	after, err := worked(running)
	if err != nil {
		return r, err
	}
	r.cpu = map[string]float64{}
	for name := range after {
		r.cpu[name] = (after[name] - before[name]) / float64(max(1, created))
	}
	return r, nil
}

// creating creates from so many clients for a time, and waits until all has arrived.
type creating func(ctx context.Context, clients int, length time.Duration) (round, error)

// subject is something whose creates are measured, by turns with the others.
type subject struct {
	name   string
	create creating
}

// subjectRounds are the rounds of a subject with so many clients.
type subjectRounds struct {
	name    string
	clients int
}

type results map[subjectRounds][]round

func (r results) sample(name string, clients int, of func(round) float64) sample {
	var s sample
	for _, one := range r[subjectRounds{name, clients}] {
		s = append(s, of(one))
	}
	return s
}

func rateOf(r round) float64 { return r.rate }
func p50Of(r round) float64  { return r.p50 }
func p99Of(r round) float64  { return r.p99 }

// deployment is a suite that is measured, and its users.
type deployment struct {
	*suite.Suite

	label string
	users []*suite.Client
}

// create is a round of creates without a pause, with publishing on until everything
// has arrived.
func (d *deployment) create(publishing bool) creating {
	return func(ctx context.Context, clients int, length time.Duration) (round, error) {
		return watched(d.PIDs, func() (round, int, error) {
			var before []float64
			if publishing {
				var err error
				if before, err = consumed(ctx, d.Suite); err != nil {
					return round{}, 0, err
				}
			}
			l, err := closed(ctx, d.users, clients, during(length))
			if err == nil && publishing {
				_, err = arrived(ctx, d.Suite, before, len(l.times))
			}
			return l.round(), len(l.times), err
		})
	}
}

// backlog creates with the broker stopped, and says how many of the events that have
// waited become audit rows in a second once it is back, and what each process worked for
// an event of both topics until all have arrived.
func (d *deployment) backlog(ctx context.Context) (stopped, drained round, err error) {
	before, err := consumed(ctx, d.Suite)
	if err != nil {
		return stopped, drained, err
	}
	if err := d.Signal("broker", syscall.SIGSTOP); err != nil {
		return stopped, drained, err
	}
	l, err := closed(ctx, d.users, 16, times(*waiting))
	if err != nil {
		return stopped, drained, errors.Join(err, d.Signal("broker", syscall.SIGCONT))
	}
	drained, err = watched(d.PIDs, func() (round, int, error) {
		if err := d.Signal("broker", syscall.SIGCONT); err != nil {
			return round{}, 0, err
		}
		back := time.Now()
		audited, err := arrived(ctx, d.Suite, before, len(l.times))
		return round{rate: float64(len(l.times)) / audited.Sub(back).Seconds()}, len(l.times), err
	})
	return l.round(), drained, err
}

// The rows of the tables, of which those of another commit have its name behind them.
const (
	publishingOn  = "publishing on"
	publishingOff = "publishing off"
	brokerStopped = "broker stopped"
	rowsAlone     = "pgbench"
	untilAudit    = "answer of a create to its audit row"
	fromBacklog   = "backlog to audit rows"
)

// api measures creates: how many, how soon, and what they cost.
func api(ctx context.Context) (err error) {
	var up started
	defer func() { err = errors.Join(err, up.stop()) }()
	sides, err := chosenSides(ctx, &up)
	if err != nil {
		return err
	}
	var subjects []subject
	var on, all []*deployment
	for _, s := range sides {
		// All of them stay up: one that idles takes little, and as much from each.
		publishing, err := s.start(ctx, &up, slices.Max(clients))
		if err != nil {
			return err
		}
		off, err := s.start(ctx, &up, slices.Max(clients), "EVENT_PUBLISHING_ENABLED=false", "REPLICAS=audit-log=0,recurring-task=0,notification=0")
		if err != nil {
			return err
		}
		on, all = append(on, publishing), append(all, publishing, off)
		subjects = append(subjects, subject{publishingOn + s.label, publishing.create(true)}, subject{publishingOff + s.label, off.create(false)})
	}
	if _, err := databasetest.Program("pgbench"); err == nil {
		subjects = append(subjects, subject{rowsAlone, pgbench(all[1].Suite)})
	} else {
		fmt.Printf("\nLeft out: there is no pgbench on this machine (Debian: apt-get install postgresql-contrib).\n")
	}
	python, err := findPython(ctx, sides[0].root)
	switch {
	case err != nil:
		return err
	case python == "":
		fmt.Printf("\nLeft out: no Python here has FastAPI: python3 -m venv .local/fastapi && .local/fastapi/bin/pip install -r test/bench/fastapi/requirements.txt (or -python).\n")
	default:
		create, err := startFastAPI(ctx, &up, sides[0].root, python)
		if err != nil {
			return err
		}
		subjects = append(subjects, subject{fastAPI, create})
	}
	progress("warming up")
	for _, s := range subjects {
		if _, err := s.create(ctx, 16, 2*time.Second); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	progress("seeing what the suites cost that are idle")
	idle, err := idleCost(ctx, all)
	if err != nil {
		return err
	}
	found := results{}
	for n := range *rounds {
		if err = found.add(ctx, n+1, subjects, all, on); err != nil {
			break // what there is so far is printed
		}
	}
	var names []string
	for _, s := range subjects {
		names = append(names, s.name)
	}
	report{found, names, sides}.print()
	fmt.Printf("\n| CPU ms in a second of a suite that is idle | |\n|---|---|\n")
	for i := range all {
		fmt.Printf("| %s | %s |\n", subjects[i].name, figure(idle[i]))
	}
	return err
}

// add measures the nth round of all, one after the other.
func (r results) add(ctx context.Context, n int, subjects []subject, all, on []*deployment) error {
	add := func(name string, clients int, one round) {
		key := subjectRounds{name, clients}
		r[key] = append(r[key], one)
	}
	for _, c := range clients {
		for _, s := range subjects {
			progress("round %d of %d, %d clients: %s", n, *rounds, c, s.name)
			one, err := s.create(ctx, c, *length)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			add(s.name, c, one)
		}
	}
	for i, d := range all {
		name := subjects[i].name
		progress("round %d of %d, %d requests/s: %s", n, *rounds, openRate, name)
		l, err := open(ctx, d.users, openRate, *length, nil)
		if err != nil {
			return err
		}
		add(name, atOpenRate, l.round())
	}
	for _, d := range on {
		progress("round %d of %d: %s%s", n, *rounds, untilAudit, d.label)
		times, err := toAudit(ctx, d)
		if err != nil {
			return err
		}
		add(untilAudit+d.label, atOpenRate, load{times: times}.round())
		progress("round %d of %d: %s%s", n, *rounds, fromBacklog, d.label)
		stopped, drained, err := d.backlog(ctx)
		if err != nil {
			return err
		}
		add(brokerStopped+d.label, 16, stopped)
		add(fromBacklog+d.label, 16, drained)
	}
	return nil
}

// openRate is how many requests a second are sent where the time of each is what is
// asked for; atOpenRate stands for the number of clients.
const openRate, atOpenRate = 100, 0

// idleCost is the CPU time of each suite in a second, in milliseconds.
func idleCost(ctx context.Context, suites []*deployment) (sample, error) {
	const seconds = 5
	if err := pause(ctx, time.Second); err != nil {
		return nil, err
	}
	var costs sample
	before := make([]map[string]float64, len(suites))
	for _, after := range []bool{false, true} {
		for i, d := range suites {
			pids, err := d.PIDs()
			if err != nil {
				return nil, err
			}
			now, err := worked(pids)
			if err != nil {
				return nil, err
			}
			if !after {
				before[i] = now
				continue
			}
			sum := 0.0
			for name := range pids {
				sum += now[name] - before[i][name]
			}
			costs = append(costs, sum/seconds)
		}
		if !after {
			if err := pause(ctx, seconds*time.Second); err != nil {
				return nil, err
			}
		}
	}
	return costs, nil
}

// toAudit creates at openRate and looks, every few milliseconds, which of the tasks
// have their audit row.
func toAudit(ctx context.Context, d *deployment) ([]time.Duration, error) {
	conn, err := pgx.Connect(ctx, d.Database.OwnerURL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var mu sync.Mutex
	answered := map[uuid.UUID]time.Time{}
	sent := make(chan error, 1)
	go func() {
		_, err := open(ctx, d.users, openRate, *length, func(a suite.Answer) {
			now := time.Now()
			var t event.Task
			if a.JSON(&t) == nil {
				mu.Lock()
				defer mu.Unlock()
				answered[t.ID] = now
			}
		})
		sent <- err
	}()
	var times []time.Duration
	sending := true
	for {
		if sending {
			select {
			case err := <-sent:
				if err != nil {
					return nil, err
				}
				sending = false
			default:
			}
		}
		mu.Lock()
		waiting := slices.Collect(maps.Keys(answered))
		mu.Unlock()
		if len(waiting) == 0 && !sending {
			return times, nil
		}
		rows, err := conn.Query(ctx, "SELECT task_id FROM audit.entries WHERE task_id = ANY($1)", waiting)
		if err != nil {
			return nil, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return nil, err
		}
		now := time.Now()
		mu.Lock()
		for _, id := range found {
			times = append(times, now.Sub(answered[id]))
			delete(answered, id)
		}
		mu.Unlock()
		if err := pause(ctx, 3*time.Millisecond); err != nil {
			return nil, err
		}
	}
}
