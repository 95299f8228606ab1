package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/test/suite"
)

// config is what a run is asked for.
type config struct {
	duration time.Duration
	seed     uint64
	rate     int
	users    int
	down     string // a connection that is refused half of the time
	kill     string // a process that is killed every 20 s
	broker   string
	mix      string
	breakage string
	calm     bool // no faults: for the tests of the breakages
}

const defaultUsers = 20

// run does all of it. An error says that the run itself failed; what it found
// is in the report.
func run(ctx context.Context, c config, log *journal) (_ *report, err error) {
	mix, err := parseMix(c.mix)
	if err != nil {
		return nil, err
	}
	if err := knownBreakage(c.breakage); err != nil {
		return nil, err
	}
	if c.rate < 1 || c.duration <= 0 || c.users < 2 {
		return nil, errors.New("there must be a rate, a duration and two users")
	}
	dir, err := suite.NewDir("chaos")
	if err != nil {
		return nil, err
	}
	detours, env, err := plan(c.broker)
	if err != nil {
		return nil, err
	}
	defer detours.close()
	down, err := detours.to(c.down)
	if err != nil {
		return nil, err
	}

	log.stage("starting a suite in %s", dir)
	s, err := suite.Start(ctx, dir, append(suite.WithoutLimits(), env...)...)
	if err != nil {
		return nil, err
	}
	processes := &processes{suite: s}
	r := newReport(ctx, c)
	defer func() {
		processes.goOnAll()
		err = errors.Join(err, s.Stop())
		// What was broken on purpose needs no explanation.
		if err != nil || !r.ok() && c.breakage == "" {
			log.stage("the state and the logs of the suite are kept in %s", dir)
			return
		}
		err = os.RemoveAll(dir)
	}()
	if err := processes.known(c.kill); err != nil {
		return nil, err
	}
	db, err := pgxpool.New(ctx, s.Database.OwnerURL)
	if err != nil {
		return nil, fmt.Errorf("connect to the suite's database: %w", err)
	}
	defer db.Close()

	load, err := newLoad(ctx, s, c, mix, rand.New(rand.NewPCG(c.seed, 1)))
	if err != nil {
		return nil, err
	}
	clients, err := newClients(ctx, load, log)
	if err != nil {
		return nil, err
	}
	recovery, err := newRecovery(ctx, s, db, log)
	if err != nil {
		return nil, err
	}
	if err := install(ctx, db, c.breakage); err != nil {
		return nil, err
	}

	log.begin()
	log.stage("%d requests/s for %s", c.rate, c.duration)
	disturbed, cancel := context.WithTimeout(ctx, c.duration)
	defer cancel()
	faults := &faults{
		rng: rand.New(rand.NewPCG(c.seed, 2)), processes: processes, detours: detours, log: log,
		down: down, killed: c.kill, ended: recovery.watch, counts: map[string]int{}, busy: map[string]bool{},
	}
	leave := clients.start(ctx)
	defer leave()
	var acting sync.WaitGroup
	acting.Go(func() { load.run(disturbed) })
	acting.Go(func() { keepBreaking(disturbed, s, c.breakage, log) })
	if !c.calm {
		acting.Go(func() { faults.run(disturbed) })
	}
	acting.Wait()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	processes.goOnAll()

	log.stage("waiting until all has arrived")
	recovery.wait()
	settled := time.Now()
	left, err := settle(ctx, db, log)
	if err != nil {
		return nil, err
	}
	r.settledIn, r.left = time.Since(settled), left
	r.faults, r.load, r.recovery = faults.counts, load.result(), recovery.result()

	log.stage("comparing")
	t := &truth{suite: s, db: db, log: log}
	r.checks, err = t.compare(ctx, r.load.acknowledged)
	if err != nil {
		return nil, err
	}
	copies, err := clients.haveWhatTheServerHas(ctx)
	if err != nil {
		return nil, err
	}
	leave()
	r.checks = append(r.checks, copies, clients.sent)
	r.clients, r.anew, r.broken = len(clients.all), clients.ended.anew, clients.ended.broken
	r.published, r.repeated, r.mailsRepeated = t.published, t.repeated, t.mailsRepeated
	return r, err
}
