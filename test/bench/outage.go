package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// outageRate is how many creates a second are sent, in all phases.
const outageRate = 50

// brokerOutage measures creates while the broker is up, then while it is
// stopped, and how long the log takes to drain when it is back.
func brokerOutage(ctx context.Context) error {
	return with(ctx, nil, func(s *suite.Suite, u *suite.Client) error {
		conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		progress("warming up")
		users := []*suite.Client{u}
		if _, err := open(ctx, users, outageRate, 10*time.Second, nil); err != nil {
			return err
		}
		calm := min(*outage, 2*time.Minute)
		progress("creating at %d/s for %s with the broker up", outageRate, calm)
		up, err := open(ctx, users, outageRate, calm, nil)
		if err != nil {
			return err
		}
		progress("creating at %d/s for %s with the broker stopped", outageRate, *outage)
		if err := s.Signal("broker", syscall.SIGSTOP); err != nil {
			return err
		}
		down, err := open(ctx, users, outageRate, *outage, nil)
		if err != nil {
			return err
		}
		if err := s.Signal("broker", syscall.SIGCONT); err != nil {
			return err
		}
		back := time.Now()
		var waiting int
		for n := -1; n != 0; {
			err := conn.QueryRow(ctx, `SELECT count(*) FROM task.events e JOIN task.event_cursors c USING (topic) WHERE e.seq IS NULL OR e.seq > c.published_seq`).Scan(&n)
			if err != nil {
				return err
			}
			waiting = max(waiting, n)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
		drained := time.Since(back)
		fmt.Printf("\n| POST /api/tasks at %d/s | requests | failed | p50 | p99 |\n|---|---|---|---|---|\n", outageRate)
		fmt.Printf("| broker up for %s | %d | %d | %s | %s |\n", calm, len(up.times), up.failed, quantile(up.times, .5), quantile(up.times, .99))
		fmt.Printf("| broker stopped for %s | %d | %d | %s | %s |\n", *outage, len(down.times), down.failed, quantile(down.times, .5), quantile(down.times, .99))
		fmt.Printf("\np99 stopped to up: %.2f. The log's %d events were published %.1f s after the broker's return.\n",
			figures.Quantile(down.times, .99).Seconds()/figures.Quantile(up.times, .99).Seconds(), waiting, drained.Seconds())
		return nil
	})
}
