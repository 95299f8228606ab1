package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/test/figures"
	"github.com/taskwire/taskwire/test/suite"
)

// placing measures how long the tasks of before take to come into their users' inboxes,
// and how long that keeps others waiting who create tasks meanwhile.
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
		during, err := createFor(ctx, users, func(ctx context.Context) error {
			_, err := conn.Exec(ctx, "CALL task.place_tasks()")
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
		return nil
	})
}
