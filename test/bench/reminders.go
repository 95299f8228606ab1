package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// reminders measures how soon reminders become events while many others wait,
// and how late they are delivered beside a user who creates without a pause.
func reminders(ctx context.Context) error {
	return with(ctx, nil, func(s *suite.Suite, u *suite.Client) error {
		conn, err := pgx.Connect(ctx, s.Database.OwnerURL)
		if err != nil {
			return err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		progress("writing %d reminders that wait", *pending)
		// Ten to a task, due over the year after the next month.
		err = remind(ctx, conn, *pending/10, 10, "now() + interval '30 days' + random() * interval '365 days'")
		if err != nil {
			return err
		}
		if _, err := conn.Exec(ctx, "VACUUM ANALYZE task.tasks, task.reminders"); err != nil {
			return err
		}
		progress("firing %d in one second", *together)
		burst, err := fire(ctx, s, conn, *together, time.Second)
		if err != nil {
			return err
		}
		if err := settle(ctx, conn); err != nil {
			return err
		}
		const perSecond, seconds = 100, 20
		progress("firing %d a second", perSecond)
		steady, err := fire(ctx, s, conn, perSecond*seconds, seconds*time.Second)
		if err != nil {
			return err
		}
		if err := settle(ctx, conn); err != nil {
			return err
		}
		progress("reminding one user while another creates %d tasks", *busy)
		alone, beside, took, err := besideABusyUser(ctx, s, conn, u)
		if err != nil {
			return err
		}
		fmt.Printf("\n| reminders, with %d others waiting | |\n|---|---|\n", *pending)
		fmt.Printf("| %d due within one second | %s |\n", *together, burst)
		fmt.Printf("| %d due per second for %d s | %s |\n", perSecond, seconds, steady)
		fmt.Printf("| late in the user's list, nothing else going on | p50 %s, worst %s (%d) |\n", quantile(alone, .5), quantile(alone, 1), len(alone))
		fmt.Printf("| late while another user creates %d tasks in %.0f s | p50 %s, worst %s (%d) |\n", *busy, took.Seconds(), quantile(beside, .5), quantile(beside, 1), len(beside))
		return nil
	})
}

// remind writes tasks with reminders, past the API, that are due at an SQL
// expression, in which n counts the tasks from 1.
func remind(ctx context.Context, conn *pgx.Conn, tasks, each int, at string) error {
	_, err := conn.Exec(ctx, fmt.Sprintf(`
		WITH t AS (
			INSERT INTO task.tasks (id, user_id, title, description, is_complete, priority, tags, all_day, timezone, version, created_at, updated_at, title_key, search_version)
			SELECT gen_random_uuid(), (SELECT id FROM task.users LIMIT 1), 'Remember ' || n, '', false, 0, '{}', false, 'UTC', 1, now(), now(), '', 17 -- not to be indexed meanwhile
			FROM generate_series(1, %d) n RETURNING id, substr(title, 10)::int AS n
		)
		INSERT INTO task.reminders (id, task_id, ordinal, at, remind_at, armed)
		SELECT gen_random_uuid(), id, r, at, at, true FROM t, generate_series(1, %d) r, LATERAL (SELECT %s AS at WHERE r > 0) x`, tasks, each, at))
	return err
}

// fired is what became of reminders that were due together.
type fired struct {
	n, lost, twice int
	late           []time.Duration // from its moment to the relay's acknowledgement by the broker
	all            time.Duration   // from the last moment to the last acknowledgement
}

func (f fired) String() string {
	return fmt.Sprintf("all published %.2f s after the last was due; late p50 %s, p99 %s; %d lost, %d twice of %d",
		f.all.Seconds(), quantile(f.late, .5), quantile(f.late, .99), f.lost, f.twice, f.n)
}

// fire lets n reminders be due evenly over a time, and looks when the relay's
// cursor has passed the event of each.
func fire(ctx context.Context, s *suite.Suite, conn *pgx.Conn, n int, over time.Duration) (fired, error) {
	f := fired{n: n}
	var before, seqBefore int64
	err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM task.events WHERE topic = 'reminders'),
		coalesce((SELECT published_seq FROM task.event_cursors WHERE topic = 'reminders'), 0)`).Scan(&before, &seqBefore)
	if err != nil {
		return f, err
	}
	start := time.Now().Add(5*time.Second + time.Duration(n)*200*time.Microsecond).Truncate(time.Second)
	at := fmt.Sprintf("'%s'::timestamptz + n * interval '%d microseconds'", start.UTC().Format(time.RFC3339Nano), over.Microseconds()/int64(n))
	if err := remind(ctx, conn, n, 1, at); err != nil {
		return f, err
	}
	// The clock was not told of these rows; a reminder by the API wakes it.
	if _, err := conn.Exec(ctx, "NOTIFY taskwire_reminders"); err != nil {
		return f, err
	}
	type step struct {
		at  time.Time
		seq int64
	}
	var steps []step
	deadline := start.Add(over + 60*time.Second)
	for time.Now().Before(deadline) {
		var seq, left int64
		err := conn.QueryRow(ctx, `SELECT published_seq, (SELECT count(*) FROM (SELECT FROM task.reminders WHERE armed AND remind_at < $1 LIMIT 1) x)
			FROM task.event_cursors WHERE topic = 'reminders'`, start.Add(over+time.Second)).Scan(&seq, &left)
		if err != nil {
			return f, err
		}
		if len(steps) == 0 || steps[len(steps)-1].seq != seq {
			steps = append(steps, step{time.Now(), seq})
		}
		if left == 0 {
			var done bool
			err := conn.QueryRow(ctx, `SELECT count(*) >= $1 AND count(*) FILTER (WHERE seq IS NULL OR seq > $2) = 0 FROM task.events
				WHERE topic = 'reminders' AND (seq IS NULL OR seq > $3)`, n, seq, seqBefore).Scan(&done)
			if err != nil {
				return f, err
			}
			if done {
				break
			}
		}
		select {
		case <-ctx.Done():
			return f, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
	rows, err := conn.Query(ctx, "SELECT seq, (data::jsonb->>'remind_at')::timestamptz FROM task.events WHERE topic = 'reminders' AND seq > $1 ORDER BY seq", seqBefore)
	if err != nil {
		return f, err
	}
	var seq int64
	var moment time.Time
	_, err = pgx.ForEachRow(rows, []any{&seq, &moment}, func() error {
		i := slices.IndexFunc(steps, func(s step) bool { return s.seq >= seq })
		if i < 0 {
			f.lost++
			return nil
		}
		f.late = append(f.late, steps[i].at.Sub(moment))
		f.all = max(f.all, steps[i].at.Sub(start.Add(over)))
		return nil
	})
	if err != nil {
		return f, err
	}
	f.lost += max(0, n-len(f.late))
	// What the broker has is what counts.
	times := map[string]int{}
	reading, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	total := int(before) + n
	err = s.Read(reading, event.TopicReminders, func(r suite.Record) bool {
		times[r.Event.ID]++
		return len(times) >= total
	})
	if err != nil && ctx.Err() != nil {
		return f, err
	}
	f.lost = max(f.lost, total-len(times))
	for _, n := range times {
		if n > 1 {
			f.twice++
		}
	}
	return f, nil
}

// settle waits until the consumers have handled what was published.
func settle(ctx context.Context, conn *pgx.Conn) error {
	progress("waiting for the consumers")
	for {
		var left int
		err := conn.QueryRow(ctx, `SELECT (SELECT count(*) FROM task.events WHERE topic = 'reminders') - (SELECT count(DISTINCT (reminder_id, remind_at)) FROM notification.deliveries)
			+ (SELECT count(*) FROM notification.deliveries WHERE state = 'pending')
			+ (SELECT count(*) FROM task.events WHERE topic = 'audit-logs') - (SELECT count(*) FROM audit.entries)`).Scan(&left)
		if err != nil || left <= 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// besideABusyUser reminds a user five times a second, first alone and then
// while u creates tasks from all clients, and reads how late each came.
func besideABusyUser(ctx context.Context, s *suite.Suite, conn *pgx.Conn, u *suite.Client) (alone, beside []time.Duration, took time.Duration, err error) {
	other, err := s.Register(ctx, "other@example.org", "UTC")
	if err != nil {
		return nil, nil, 0, err
	}
	until := func(done <-chan struct{}) ([]time.Duration, error) {
		sent := 0
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		began := time.Now()
		for open := true; open; {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-done:
				open = false
			case <-tick.C:
				a, err := other.Do(ctx, http.MethodPost, "/api/tasks", map[string]any{
					"title": "Now", "reminders": []any{map[string]any{"at": time.Now().Add(3 * time.Second).Format(time.RFC3339Nano)}},
				})
				if err != nil || a.Status != http.StatusCreated {
					return nil, fmt.Errorf("create a reminder: %d %w", a.Status, err)
				}
				sent++
			}
		}
		for {
			rows, err := conn.Query(ctx, `SELECT late_ms FROM notification.notifications n JOIN task.users u ON u.id = n.user_id
				WHERE u.email = 'other@example.org' AND n.remind_at > $1`, began)
			if err != nil {
				return nil, err
			}
			late, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (time.Duration, error) {
				var ms int64
				err := r.Scan(&ms)
				return time.Duration(ms) * time.Millisecond, err
			})
			if err != nil || len(late) >= sent {
				return late, err
			}
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	pause := make(chan struct{})
	time.AfterFunc(10*time.Second, func() { close(pause) })
	if alone, err = until(pause); err != nil {
		return nil, nil, 0, err
	}
	done := make(chan struct{})
	began := time.Now()
	go func() {
		defer close(done)
		numbers := make(chan struct{})
		var working sync.WaitGroup
		for range 16 {
			working.Go(func() {
				for range numbers {
					// A refused one is no worse for the other user.
					_, _ = createTask(ctx, u)
				}
			})
		}
		for range *busy {
			select {
			case <-ctx.Done():
			case numbers <- struct{}{}:
			}
		}
		close(numbers)
		working.Wait()
		took = time.Since(began)
	}()
	beside, err = until(done)
	return alone, beside, took, err
}
