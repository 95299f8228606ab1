package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/test/suite"
)

// config is what a run is asked for.
type config struct {
	duration time.Duration // of each attack
	seed     uint64
	attacks  []*attack
	crowds   []int
	calm     time.Duration // how long the users are watched without an attack
	keep     bool          // the state of a suite that broke a promise
}

const (
	many   = 60
	warmUp = 5 * time.Second
	// settleTime is how long what an attack was granted may take to be
	// published and consumed, so that it does not count for the next one.
	settleTime = time.Minute
)

// environment has the limits in force. Those of networks are off where a suite
// is run on one machine; here each client says which network it is in, as a
// proxy would.
var environment = []string{"TRUSTED_PROXIES=127.0.0.0/8", "LIMIT_SIGN_INS_NETWORK=60", "LIMIT_REGISTRATIONS=20"}

// soaking is a run.
type soaking struct {
	config config
	suite  *suite.Suite
	db     *pgxpool.Pool
	watch  *watch
	load   *load
	own    *http.Transport // of the users
	calm   state
	field  *field
}

// run does all of it. The report has what was found until an error.
func run(ctx context.Context, c config) (r *report, err error) {
	dir, err := suite.NewDir("soak")
	if err != nil {
		return nil, err
	}
	r = newReport(ctx, c)
	progress("starting a suite in %s", dir)
	s, err := suite.Start(ctx, dir, environment...)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, s.Stop())
		if err != nil || c.keep && !r.ok() {
			progress("the state and the logs of the suite are kept in %s", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	db, err := pgxpool.New(ctx, s.Database.OwnerURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the suite's database: %w", err)
	}
	defer db.Close()
	watch, err := newWatch(s, db)
	if err != nil {
		return nil, err
	}
	k := &soaking{
		config: c, suite: s, db: db, watch: watch,
		own:   &http.Transport{MaxIdleConnsPerHost: 64},
		field: newField(s, db, rand.New(rand.NewPCG(c.seed, 2))),
	}
	if k.load, err = k.field.newLoad(ctx, k.own, rand.New(rand.NewPCG(c.seed, 1))); err != nil {
		return nil, err
	}
	loaded, stop := context.WithCancel(ctx)
	var living sync.WaitGroup
	living.Go(func() { k.load.run(loaded) })
	defer living.Wait()
	defer stop()
	return r, k.all(ctx, r)
}

// all watches the users without an attack, then during each.
func (k *soaking) all(ctx context.Context, r *report) (err error) {
	progress("%d users, %.0f requests/s, no attack for %s", users, users*perUser, k.config.calm)
	sleep(ctx, min(warmUp, k.config.calm))
	k.load.next()
	sleep(ctx, k.config.calm)
	r.calm = k.load.next()
	r.calm.pending.Wait()
	if err := k.rest(ctx); err != nil {
		return err
	}
	r.calmMemory = k.calm.memory
	fair := true
	for _, a := range k.config.attacks {
		for _, clients := range k.config.crowds {
			if !fair {
				if err := k.restart(ctx); err != nil {
					return err
				}
			}
			o, err := k.attack(ctx, a, clients)
			if err != nil {
				return fmt.Errorf("%s by %d: %w", a.name, clients, err)
			}
			r.outcomes = append(r.outcomes, o)
			for _, what := range o.broken() {
				progress("  broken: %s", what)
			}
			// What is left would count for the attack that follows.
			fair = len(o.left) == 0 && len(o.died) == 0
		}
	}
	return nil
}

// attack makes one attack, and sees what the users notice and what is left.
func (k *soaking) attack(ctx context.Context, a *attack, clients int) (*outcome, error) {
	st := &stage{field: k.field, clients: clients, transport: &http.Transport{MaxIdleConnsPerHost: 1024}, got: map[string]int{}}
	defer st.transport.CloseIdleConnections()
	assault, err := a.begin(ctx, st)
	if err != nil {
		return nil, fmt.Errorf("prepare: %w", err)
	}
	st.transport.CloseIdleConnections()
	if _, err := k.settle(ctx); err != nil {
		return nil, err
	}
	pids, err := k.pids()
	if err != nil {
		return nil, err
	}
	if err := forgetPeak(pids["task-api"]); err != nil {
		return nil, fmt.Errorf("forget the peak of the memory: %w", err)
	}
	progress("%s by %s for %s", a.name, crowd(clients), k.config.duration)
	o := &outcome{attack: a, clients: clients}
	k.load.next()
	during, stop := context.WithTimeout(ctx, k.config.duration)
	assault.run(during)
	stop()
	over := time.Now()
	o.users = k.load.next()
	st.transport.CloseIdleConnections()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := k.clean(ctx, o, over); err != nil {
		return nil, err
	}
	o.later = k.load.next()
	o.users.pending.Wait()
	o.later.pending.Wait()
	o.got = st.answers()
	now, err := k.pids()
	if err != nil {
		return nil, err
	}
	for name := range k.suite.Services {
		if now[name] != pids[name] {
			o.died = append(o.died, name)
		}
	}
	if o.peak, err = memory(now["task-api"], "VmHWM"); err != nil {
		return nil, err
	}
	if assault.finish != nil {
		if o.saw, o.attackers, err = assault.finish(ctx); err != nil {
			return nil, err
		}
	}
	left, err := k.settle(ctx)
	if left.Total() > spareEvents {
		o.left = append(o.left, fmt.Sprintf("%s, after %s", left, settleTime))
	}
	return o, err
}

// clean looks until nothing is left of an attack that ended at a moment, or
// its time is over.
func (k *soaking) clean(ctx context.Context, o *outcome, over time.Time) error {
	for accepted := 0; ; {
		k.own.CloseIdleConnections() // only those of the attackers are to be seen
		now, err := k.watch.look(ctx)
		now.falling, accepted = now.accepted < accepted, now.accepted
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.cleanIn = time.Since(over)
		if err != nil { // a service that is not there just now
			o.left = []string{err.Error()}
		} else {
			o.left, o.memory = remains(now, k.calm), now.memory
		}
		// A look takes a second: another one would be too late.
		if len(o.left) == 0 || o.cleanIn > gone-time.Second/2 {
			return nil
		}
	}
}

// settle waits until what was accepted has been published and consumed, and
// returns what has not in its time.
func (k *soaking) settle(ctx context.Context) (left suite.Left, err error) {
	began := time.Now()
	for said := false; ; {
		if left, err = suite.ReadLeft(ctx, k.db); err == nil && left.Total() <= spareEvents || time.Since(began) > settleTime {
			return left, err
		}
		if !said && time.Since(began) > 5*time.Second {
			said = true
			progress("  waiting for what was accepted: %s", left)
		}
		if !sleep(ctx, 250*time.Millisecond) {
			return left, ctx.Err()
		}
	}
}

// rest waits until all has settled, and remembers what the suite holds then.
func (k *soaking) rest(ctx context.Context) (err error) {
	if _, err := k.settle(ctx); err != nil {
		return err
	}
	k.own.CloseIdleConnections()
	k.calm, err = k.watch.look(ctx)
	return err
}

func (k *soaking) pids() (map[string]int, error) {
	pids := map[string]int{}
	for name := range k.suite.Services {
		pid, err := k.suite.PID(name)
		if err != nil {
			return nil, err
		}
		pids[name] = pid
	}
	return pids, nil
}

// restart kills the services, and waits until they are there again.
func (k *soaking) restart(ctx context.Context) error {
	progress("  the services are started again, so that the next attack meets them as this one did")
	for name := range k.suite.Services {
		// One that has died is being started again already.
		if err := k.suite.Signal(name, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, settleTime)
	defer cancel()
	for {
		if err := k.ready(ctx); err == nil {
			break
		} else if !sleep(ctx, 250*time.Millisecond) {
			return fmt.Errorf("the suite is not ready again: %w", err)
		}
	}
	sleep(ctx, warmUp)
	return k.rest(ctx)
}

// ready asks each service, through the front door, for what a user asks.
func (k *soaking) ready(ctx context.Context) error {
	rule := map[string]any{"rrule": "FREQ=DAILY", "due_at": "2027-01-01T09:00:00Z", "timezone": "UTC"}
	for path, body := range map[string]any{"/api/tasks": nil, "/api/notifications": nil, "/api/audit": nil, "/api/recurrence/preview": rule} {
		method := http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
		a, err := k.load.users[0].Do(ctx, method, path, body)
		if err != nil {
			return err
		}
		if a.Status != http.StatusOK {
			return fmt.Errorf("%s: %d", path, a.Status)
		}
	}
	return nil
}
