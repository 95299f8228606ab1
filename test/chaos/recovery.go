package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// recovery measures how long after the end of a fault the whole of the suite
// works again: a task with a reminder of the past is created, and has its audit
// entry and its notification; one that is created complete has its successor.
type recovery struct {
	ctx  context.Context
	user *suite.Client
	db   *pgxpool.Pool
	log  *journal

	probing sync.WaitGroup
	mu      sync.Mutex
	over    int // faults that are over
	slowest [2]recovered
}

// recovered is how long it took after which fault.
type recovered struct {
	after fault
	took  time.Duration
	never bool
}

// How long one probe is waited for.
const recoveryTime = 3 * time.Minute

const (
	alone     = iota // no other fault came before it had recovered
	disturbed        // others came
)

func newRecovery(ctx context.Context, s *suite.Suite, db *pgxpool.Pool, log *journal) (*recovery, error) {
	user, err := s.Register(ctx, "probe@example.org", "UTC")
	if err != nil {
		return nil, err
	}
	return &recovery{ctx: ctx, user: user, db: db, log: log}, nil
}

// watch measures the recovery from a fault that is just over.
func (r *recovery) watch(f fault) {
	r.mu.Lock()
	r.over++
	serial := r.over
	r.mu.Unlock()
	began := time.Now()
	r.probing.Go(func() {
		ctx, cancel := context.WithTimeout(r.ctx, recoveryTime)
		defer cancel()
		err := r.probe(ctx)
		r.mu.Lock()
		defer r.mu.Unlock()
		got := recovered{f, time.Since(began), err != nil}
		if err != nil {
			r.log.note("not recovered in %s from: %s: %v", got.took.Round(time.Millisecond), f, err)
		} else {
			r.log.note("recovered in %s from: %s", got.took.Round(time.Millisecond), f)
		}
		which := disturbed
		if r.over == serial {
			which = alone
		}
		if got.took > r.slowest[which].took {
			r.slowest[which] = got
		}
	})
}

func (r *recovery) wait() { r.probing.Wait() }

func (r *recovery) result() [2]recovered {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slowest
}

// probe returns when all that should come of two new tasks has come.
func (r *recovery) probe(ctx context.Context) error {
	reminded, err := r.create(ctx, map[string]any{"title": "probe", "reminders": []map[string]any{{"at": "2020-01-01T00:00:00Z"}}})
	if err != nil {
		return err
	}
	followed, err := r.create(ctx, map[string]any{
		"title": "probe", "is_complete": true, "due_at": time.Now().Add(time.Hour), "recurrence": map[string]any{"rrule": "FREQ=DAILY"},
	})
	if err != nil {
		return err
	}
	told := time.Now()
	return poll(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		var audited, notified, spawned bool
		err := r.db.QueryRow(ctx, `SELECT EXISTS (SELECT FROM audit.entries WHERE task_id = $1),
			EXISTS (SELECT FROM notification.notifications WHERE task_id = $1), EXISTS (SELECT FROM task.tasks WHERE follows_id = $2)`,
			reminded, followed).Scan(&audited, &notified, &spawned)
		if err == nil && (!audited || !notified || !spawned) {
			err = fmt.Errorf("audit entry: %t, notification: %t, next occurrence: %t", audited, notified, spawned)
		}
		if err != nil && time.Since(told) > 10*time.Second {
			told = time.Now()
			r.log.note("not recovered yet: %v", err)
		}
		return err
	})
}

func (r *recovery) create(ctx context.Context, body any) (uuid.UUID, error) {
	var task event.Task
	key := uuid.NewString()
	err := poll(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		a, err := r.user.Do(ctx, http.MethodPost, "/api/tasks", body, "Idempotency-Key", key)
		if err != nil {
			return err
		}
		if a.Status != http.StatusCreated {
			return fmt.Errorf("the API answers %d", a.Status)
		}
		return a.JSON(&task)
	})
	return task.ID, err
}

// poll calls f until it gives no error, or ctx ends: then with f's last error.
func poll(ctx context.Context, every time.Duration, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(every):
		}
	}
}
