package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// placing measures how long the tasks of before take to come into their users' inboxes,
// and how long that keeps others waiting who create tasks, or change those of before, meanwhile.
func placing(ctx context.Context) error {
	return with(ctx, []string{"EVENT_PUBLISHING_ENABLED=false"}, func(s *suite.Suite, _ *suite.Client) error {
		users, err := register(ctx, s, 4)
		if err != nil {
			return err
		}
		conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		progress("writing %d tasks without a list", *own+*others)
		// As the version before did, without the trigger that places what it writes now. The
		// feed came after all had their place.
		if _, err := conn.Exec(ctx, "ALTER TABLE task.tasks DISABLE TRIGGER place"); err != nil {
			return err
		}
		if err := tell(ctx, conn, false); err != nil {
			return err
		}
		if err := writeTasks(ctx, conn); err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "ALTER TABLE task.tasks ENABLE TRIGGER place"); err != nil {
			return err
		}
		before, err := createAlone(ctx, users)
		if err != nil {
			return err
		}
		progress("placing them")
		began := time.Now()
		*length = time.Hour // as long as it takes
		var changed []time.Duration
		var locks *locking
		during, err := createFor(ctx, users, func(ctx context.Context) error {
			var err error
			locks, err = watching(ctx, s.Database.OwnerURL, conn.PgConn().PID(), func() error {
				var err error
				changed, err = changeOld(ctx, s.Database.OwnerURL, func() error {
					_, err := conn.Exec(ctx, "CALL task.place_tasks()")
					return err
				})
				return err
			})
			return err
		})
		took := time.Since(began)
		if err != nil {
			return err
		}
		var left int
		if err := conn.QueryRow(ctx, "SELECT count(*) FROM task.tasks WHERE list_id IS NULL").Scan(&left); err != nil {
			return err
		}
		fmt.Printf("\n| placing %d tasks | |\n|---|---|\n| took | %.0f s |\n| left without a list | %d |\n", *own+*others, took.Seconds(), left)
		for name, times := range map[string][]time.Duration{"before it": before, "meanwhile": during} {
			fmt.Printf("| creates by 4 clients %s: p50, p99, slowest of %d | %s, %s, %s |\n", name, len(times),
				quantile(times, .5), quantile(times, .99), figures.Milliseconds(slices.Max(times)))
		}
		fmt.Printf("| a change of the task that has its turn next: p50, p99, slowest of %d | %s, %s, %s |\n", len(changed),
			quantile(changed, .5), quantile(changed, .99), figures.Milliseconds(slices.Max(changed)))
		fmt.Printf("| a batch keeps its tasks locked for: p50, p99, longest of %d | %s, %s, %s |\n", len(locks.held),
			quantile(locks.held, .5), quantile(locks.held, .99), figures.Milliseconds(slices.Max(locks.held)))
		fmt.Printf("| longest wait for a lock of a table; of a row; of another kind | %s; %s; %s |\n", locks.tables, locks.rows, locks.others)
		return nil
	})
}

// changeOld changes tasks of before past the API, as the version before does, one about
// every 10 ms until f has returned, and says how long each change took. Each is that which
// has its turn next, or is having it: elsewhere nothing would be in its way.
func changeOld(ctx context.Context, url string, f func() error) (times []time.Duration, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	changing, stop := context.WithCancel(ctx)
	defer stop()
	changed := make(chan error, 1)
	go func() {
		var after uuid.UUID
		for pause(changing, 10*time.Millisecond) == nil {
			err := conn.QueryRow(ctx, "SELECT id FROM task.tasks WHERE id > $1 AND list_id IS NULL ORDER BY id LIMIT 1", after).Scan(&after)
			if errors.Is(err, pgx.ErrNoRows) {
				break // all have their list
			}
			began := time.Now()
			if err == nil {
				_, err = conn.Exec(ctx, "UPDATE task.tasks SET priority = (priority + 1) % 3, version = version + 1 WHERE id = $1", after)
			}
			if err != nil {
				changed <- fmt.Errorf("change a task of before: %w", err)
				return
			}
			times = append(times, time.Since(began))
		}
		changed <- nil
	}()
	err = f()
	stop()
	err = errors.Join(err, <-changed)
	return times, err
}
