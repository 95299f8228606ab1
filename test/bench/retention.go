package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// retention measures how long the log keeps others waiting when it drops a day of
// many events, while tasks are created and their events are published.
func retention(ctx context.Context) error {
	return with(ctx, nil, func(s *suite.Suite, _ *suite.Client) error {
		users, err := register(ctx, s, 4)
		if err != nil {
			return err
		}
		conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		progress("writing a day of %d events", *day)
		if err := writeDay(ctx, conn); err != nil {
			return err
		}
		before, err := createAlone(ctx, users)
		if err != nil {
			return err
		}
		progress("dropping it")
		var steps []step
		during, err := createFor(ctx, users, func(ctx context.Context) (err error) {
			steps, err = dropDay(ctx, conn, s.Database.OwnerURL)
			return err
		})
		if err != nil {
			return err
		}
		fmt.Printf("\n| retention: a day of %d events | took | kept others waiting for at most |\n|---|---|---|\n", *day)
		for _, st := range steps {
			fmt.Printf("| %s | %s | %s |\n", st.did, figures.Milliseconds(st.took), figures.Milliseconds(st.locked))
		}
		fmt.Printf("\nCreates by 4 clients meanwhile: p50 %s, slowest %s of %d; before it p50 %s, slowest %s of %d.\n",
			quantile(during, .5), figures.Milliseconds(slices.Max(during)), len(during),
			quantile(before, .5), figures.Milliseconds(slices.Max(before)), len(before))
		return nil
	})
}

// writeDay adds a day of published events that is past its retention. The table is
// filled before it is a partition: it would take much longer otherwise.
func writeDay(ctx context.Context, conn *pgx.Conn) error {
	date := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -40)
	name := "task.events_" + date.Format("20060102")
	from, to := date.Format(time.RFC3339), date.AddDate(0, 0, 1).Format(time.RFC3339)
	for _, sql := range []string{
		fmt.Sprintf("CREATE TABLE %s (LIKE task.events INCLUDING DEFAULTS)", name),
		// Older than all that the relay has placed: their seq is below 1.
		fmt.Sprintf(`INSERT INTO %s (recorded_at, position, seq, id, topic, type, key, trace_parent, occurred_at, data)
			SELECT '%s'::timestamptz + n * interval '1 day' / %[3]d, -n, n - %[3]d, gen_random_uuid(), 'task-events', 'task.updated', 'kept', '', '%[2]s', '{}' FROM generate_series(0, %[3]d - 1) n`, name, from, *day),
		fmt.Sprintf("ALTER TABLE task.events ATTACH PARTITION %s FOR VALUES FROM ('%s') TO ('%s')", name, from, to),
		"VACUUM (FREEZE, ANALYZE) " + name,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%.40s …: %w", sql, err)
		}
	}
	return nil
}

// createFor has each user create tasks in a loop while f runs, or for -length.
func createFor(ctx context.Context, users []*suite.Client, f func(context.Context) error) (times []time.Duration, err error) {
	ctx, stop := context.WithTimeout(ctx, *length)
	defer stop()
	var mu sync.Mutex
	var creating sync.WaitGroup
	for _, u := range users {
		creating.Go(func() {
			for ctx.Err() == nil {
				began := time.Now()
				_, failed := createTask(ctx, u)
				mu.Lock()
				switch {
				case ctx.Err() != nil:
				case failed != nil:
					err = errors.Join(err, failed)
				default:
					times = append(times, time.Since(began))
				}
				mu.Unlock()
			}
		})
	}
	failed := f(ctx)
	stop()
	creating.Wait()
	return times, errors.Join(failed, err)
}

// createAlone is createFor while nothing else is done.
func createAlone(ctx context.Context, users []*suite.Client) ([]time.Duration, error) {
	return createFor(ctx, users, func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	})
}

// step is one call of step_event_partitions.
type step struct {
	did          string
	took, locked time.Duration
}

// dropDay calls until there is nothing left to do, as the log's keeper does.
func dropDay(ctx context.Context, conn *pgx.Conn, url string) (steps []step, err error) {
	watch, err := pgx.Connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer watch.Close(context.WithoutCancel(ctx))
	for {
		ended := make(chan struct{})
		locked := make(chan time.Duration, 1)
		go func() { locked <- lockedFor(ctx, watch, conn.PgConn().PID(), ended) }()
		var made, detached, dropped, cleared, held int
		began := time.Now()
		err := conn.QueryRow(ctx, "SELECT * FROM task.step_event_partitions('30 days')").Scan(&made, &detached, &dropped, &cleared, &held)
		took := time.Since(began)
		close(ended)
		st := step{took: took, locked: <-locked}
		switch {
		case err != nil: // it did not get its lock in time, and gave up
			st.did = "gave up, to be called again"
		case detached > 0:
			st.did = "take it out of the log"
		case dropped > 0:
			st.did = "drop its table"
		default:
			st.did = "see that nothing is left"
		}
		steps = append(steps, st)
		if ctx.Err() != nil {
			return steps, ctx.Err()
		}
		if err == nil && made+detached+dropped+cleared == 0 {
			return steps, nil
		}
	}
}

// lockedFor looks, every millisecond or so, whether a session holds a lock that
// keeps others from the log, and says for how long it was seen to. A table that is out
// of the log is nobody's business.
func lockedFor(ctx context.Context, watch *pgx.Conn, pid uint32, ended <-chan struct{}) time.Duration {
	var first, last time.Time
	for {
		select {
		case <-ended:
			if first.IsZero() {
				return 0
			}
			return last.Sub(first)
		default:
		}
		asked := time.Now()
		var locked bool
		err := watch.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
			WHERE l.pid = $1 AND l.granted AND c.relkind IN ('r', 'p') AND c.relname ~ '^events' AND c.relname !~ '_gone'
				AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'))`, int64(pid)).Scan(&locked)
		if err != nil {
			return -1 // the measurement has ended
		}
		if locked {
			if first.IsZero() {
				first = asked
			}
			last = time.Now()
		}
	}
}
