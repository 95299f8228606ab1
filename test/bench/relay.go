package main

import (
	"context"
	"encoding/json"
	"fmt"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/publish"
	"github.com/taskwire/taskwire/test/suite"
)

// relay measures the relay against the same bytes sent straight through the
// sidecar, and the relay again with kept rows in the log.
func relay(ctx context.Context) error {
	return with(ctx, nil, func(s *suite.Suite, u *suite.Client) error {
		if err := stopConsumers(s); err != nil {
			return err
		}
		conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		data, err := sampleEvent(ctx, conn, u)
		if err != nil {
			return err
		}
		// In turns, so that a slow moment of the machine falls on both.
		var straight, relayed, fresh, dumped, kept sample
		for range *rounds {
			progress("sending %d events straight through the sidecar", *events)
			rate, err := sendStraight(ctx, s, data)
			if err != nil {
				return err
			}
			straight = append(straight, rate)
			progress("relaying %d events", *events)
			if rate, err = relayBacklog(ctx, conn, data, true); err != nil {
				return err
			}
			relayed = append(relayed, rate)
			progress("placing and relaying %d events", *events)
			if rate, err = relayBacklog(ctx, conn, data, false); err != nil {
				return err
			}
			fresh = append(fresh, rate)
			progress("placing and relaying %d events beside a pg_dump", *events)
			err = besideDump(ctx, s, func() (err error) {
				rate, err = relayBacklog(ctx, conn, data, false)
				return err
			})
			if err != nil {
				return err
			}
			dumped = append(dumped, rate)
			// What the dump has kept from being tidied up is no business of the next round.
			if _, err := conn.Exec(ctx, "VACUUM"); err != nil {
				return err
			}
		}
		if *keep > 0 {
			if err := fill(ctx, conn, data); err != nil {
				return err
			}
			for range *rounds {
				progress("relaying %d events beside %d kept ones", *events, *keep)
				rate, err := relayBacklog(ctx, conn, data, true)
				if err != nil {
					return err
				}
				kept = append(kept, rate)
			}
		}
		var before, most uint64
		if *backlog > 0 {
			if before, most, err = underBacklog(ctx, s, conn, data); err != nil {
				return err
			}
		}
		fmt.Printf("\n| relay | events/s | ratio |\n|---|---|---|\n")
		fmt.Printf("| the same bytes straight through the go-sdk | %s | 1 |\n", straight)
		fmt.Printf("| a backlog from the log | %s | %s of straight |\n", relayed, relayed.over(straight))
		fmt.Printf("| the same, committed at once and placed meanwhile | %s | %s of straight |\n", fresh, fresh.over(straight))
		fmt.Printf("| the same, with a pg_dump open | %s | %s of without |\n", dumped, dumped.over(fresh))
		if *keep > 0 {
			fmt.Printf("| a backlog from the log, with %d kept rows | %s | %s of without |\n", *keep, kept, kept.over(relayed))
		}
		if *backlog > 0 {
			fmt.Printf("\nMemory of task-api: %d MB before and at most %d MB in the first 20 s of a backlog of %d events.\n", before>>20, most>>20, *backlog)
		}
		return nil
	})
}

// stopConsumers stops the consumers and their sidecars while publishing alone is measured:
// they would share the cores with it. The runner kills what does not end when it
// is told to.
func stopConsumers(s *suite.Suite) error {
	for c := range s.Services {
		if c == "task-api" {
			continue
		}
		for _, name := range []string{c + "-daprd", c} {
			if err := s.Signal(name, syscall.SIGSTOP); err != nil {
				return err
			}
		}
	}
	return nil
}

// sampleEvent is the data of a task's event, as the API writes it.
func sampleEvent(ctx context.Context, conn *pgx.Conn, u *suite.Client) (string, error) {
	a, err := createTask(ctx, u)
	if err != nil {
		return "", err
	}
	var t event.Task
	if err := a.JSON(&t); err != nil {
		return "", fmt.Errorf("create the sample: %w", err)
	}
	var data string
	err = conn.QueryRow(ctx, "SELECT data FROM task.events WHERE topic = 'task-events' AND key = $1", t.ID.String()).Scan(&data)
	return data, err
}

// sendStraight publishes events by the publisher alone, from bytes that are
// ready, in calls like those of the relay.
func sendStraight(ctx context.Context, s *suite.Suite, data string) (float64, error) {
	service := s.Services["task-api"]
	sidecar, err := publish.NewDapr(fmt.Sprint("127.0.0.1:", service.Sidecar.GRPCPort), service.DaprToken, "pubsub")
	if err != nil {
		return 0, err
	}
	defer sidecar.Close()
	const batch, callers = 250, 3
	lanes := make([][]eventlog.Message, callers)
	for i := range *events {
		id := uuid.Must(uuid.NewV7())
		raw, err := event.Encode(event.Header{
			ID: id, Topic: event.TopicTasks, Type: event.TaskUpdated, Subject: id.String(), Time: time.Now(), PartitionKey: id.String(), Sequence: int64(i + 1),
		}, json.RawMessage(data))
		if err != nil {
			return 0, err
		}
		lanes[i%callers] = append(lanes[i%callers], eventlog.Message{ID: id.String(), Key: id.String(), Body: raw})
	}
	began := time.Now()
	group, ctx := errgroup.WithContext(ctx)
	for _, lane := range lanes {
		group.Go(func() error {
			for len(lane) > 0 {
				n := min(batch, len(lane))
				if _, err := sidecar.Publish(ctx, event.TopicTasks, lane[:n]); err != nil {
					return err
				}
				lane = lane[n:]
			}
			return nil
		})
	}
	err = group.Wait()
	return float64(*events) / time.Since(began).Seconds(), err
}

// relayBacklog commits events to the log at once, and takes the time from the
// relay's first step to its last. With placed they have their seq already, as
// those of a backlog have: the owner of the log goes on placing while the
// broker is away.
func relayBacklog(ctx context.Context, conn *pgx.Conn, data string, placed bool) (float64, error) {
	cursor := func() (seq int64, err error) {
		err = conn.QueryRow(ctx, "SELECT published_seq FROM task.event_cursors WHERE topic = 'task-events'").Scan(&seq)
		return seq, err
	}
	before, err := cursor()
	if err != nil {
		return 0, err
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // after a commit it does nothing
	var last int64                                                 // seq of the events, once they are placed
	if err = tx.QueryRow(ctx, "SELECT last_seq + $1 FROM task.event_head FOR UPDATE", *events).Scan(&last); err != nil {
		return 0, err
	}
	seq, insert := "NULL", `INSERT INTO task.events (seq, id, topic, type, key, trace_parent, occurred_at, data)
		SELECT %s, gen_random_uuid(), 'task-events', 'task.updated', gen_random_uuid()::text, '', now(), $1 FROM generate_series(1, $2::int) n`
	if placed {
		seq = "n + (SELECT last_seq FROM task.event_head)"
	}
	if _, err = tx.Exec(ctx, fmt.Sprintf(insert, seq), data, *events); err != nil {
		return 0, err
	}
	if placed {
		if _, err = tx.Exec(ctx, "UPDATE task.event_head SET last_seq = last_seq + $1", *events); err != nil {
			return 0, err
		}
		// One that is not placed, for the owner to find.
		if _, err = tx.Exec(ctx, fmt.Sprintf(insert, "NULL"), data, 1); err != nil {
			return 0, err
		}
	}
	if err = tx.Commit(ctx); err != nil {
		return 0, err
	}
	var first int64
	var began time.Time
	for {
		at, err := cursor()
		if err != nil {
			return 0, err
		}
		if began.IsZero() && at > before {
			began, first = time.Now(), at
		}
		if at >= last {
			return float64(last-first) / time.Since(began).Seconds(), nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// besideDump runs f while a session holds what pg_dump does for hours: a snapshot, and
// a lock of each table that only keeps it from being altered.
func besideDump(ctx context.Context, s *suite.Suite, f func() error) error {
	conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range []string{
		"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
		`DO $$ BEGIN EXECUTE (SELECT 'LOCK TABLE ' || string_agg(format('%I.%I', schemaname, tablename), ', ') || ' IN ACCESS SHARE MODE'
			FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')); END $$`,
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("hold what pg_dump does: %w", err)
		}
	}
	return f()
}

// fill adds kept, published rows to the log, spread over the month before.
func fill(ctx context.Context, conn *pgx.Conn, data string) error {
	const days = 29
	_, err := conn.Exec(ctx, `SELECT task.keep_event_partitions('100 years')`)
	if err != nil {
		return err
	}
	began := time.Now()
	for day := days; day >= 1; day-- {
		date := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -day)
		_, err := conn.Exec(ctx, fmt.Sprintf(`CREATE TABLE task.events_%s PARTITION OF task.events FOR VALUES FROM ('%s') TO ('%s')`,
			date.Format("20060102"), date.Format(time.RFC3339), date.AddDate(0, 0, 1).Format(time.RFC3339)))
		if err != nil {
			return err
		}
		// Older than all that the relay has placed: their seq is below 1.
		_, err = conn.Exec(ctx, `INSERT INTO task.events (recorded_at, seq, id, topic, type, key, trace_parent, occurred_at, data)
			SELECT $1::timestamptz + n * interval '10 ms', -$2::bigint * 10000000 + n, gen_random_uuid(), 'task-events', 'task.updated', 'kept', '', $1, $3
			FROM generate_series(1, $4::int) n`, date, day, data, *keep/days)
		if err != nil {
			return err
		}
		if day%5 == 0 {
			progress("filled %d of %d rows in %.0f s", (days-day+1)*(*keep/days), *keep, time.Since(began).Seconds())
		}
	}
	// What would else go on behind the measurement, and would be long over with
	// rows that were written over a month.
	progress("vacuuming")
	if _, err := conn.Exec(ctx, "VACUUM (FREEZE, ANALYZE) task.events"); err != nil {
		return err
	}
	syscall.Sync()
	return nil
}

// underBacklog looks at the memory of task-api, in bytes, before it has a large
// backlog and while it works on it.
func underBacklog(ctx context.Context, s *suite.Suite, conn *pgx.Conn, data string) (before, most uint64, err error) {
	progress("writing a backlog of %d events", *backlog)
	first, err := readMemory(s, "task-api")
	if err != nil {
		return 0, 0, err
	}
	if err := s.Signal("broker", syscall.SIGSTOP); err != nil {
		return 0, 0, err
	}
	const step = 500_000
	for n := 0; n < *backlog; n += step {
		_, err = conn.Exec(ctx, `INSERT INTO task.events (id, topic, type, key, trace_parent, occurred_at, data)
			SELECT gen_random_uuid(), 'task-events', 'task.updated', gen_random_uuid()::text, '', now(), $1 FROM generate_series(1, $2::int)`, data, min(step, *backlog-n))
		if err != nil {
			return 0, 0, err
		}
	}
	if err := s.Signal("broker", syscall.SIGCONT); err != nil {
		return 0, 0, err
	}
	progress("looking at the memory of task-api")
	for began := time.Now(); time.Since(began) < 20*time.Second; {
		now, err := readMemory(s, "task-api")
		if err != nil {
			return 0, 0, err
		}
		most = max(most, now.resident)
		select {
		case <-ctx.Done():
			return 0, 0, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return first.resident, most, nil
}
