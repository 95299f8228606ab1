package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Rezoned is what Rezone did with a task, or would do.
type Rezoned struct {
	TaskID   uuid.UUID
	Timezone string
	DueWas   time.Time // both zero where the due time stays
	DueAt    time.Time
	// Reminders are how many fixed ones were moved; those before the due time move with it.
	Reminders int
	// Noted says that it was not known what the zone's clock showed when the task was
	// written, and that it is from here on.
	Noted bool
}

// moved says whether more has changed than what is known of the task.
func (r Rezoned) moved() bool { return !r.DueAt.IsZero() || r.Reminders > 0 }

const (
	// rezoneBatch is how many tasks are looked at at once, and stay locked at most
	// while it is written down what their clocks show.
	rezoneBatch = 1000
	// undelivered is for how long a reminder may not have reached its user after it fired.
	undelivered = time.Minute
)

// Count is how many tasks there are.
func (s *Store) Count(ctx context.Context) (n int64, err error) {
	if err := s.DB.NewRaw("SELECT count(*) FROM task.tasks").Scan(ctx, &n); err != nil {
		return 0, fmt.Errorf("count the tasks: %w", err)
	}
	return n, nil
}

// Rezone moves what lies ahead of open tasks, due times and fixed reminders, to where
// the laws of the zones that this process knows have the time on the wall that was
// meant. Where that is not known it is what the clock shows now. Of each task that it
// changes it tells each; after each step it says how many tasks it has looked at.
//
// Any replica may be at work meanwhile, and it may be stopped and run again: a task is
// changed by one transaction, which reads it anew under its lock.
func (s *Store) Rezone(ctx context.Context, dryRun bool, each func(Rezoned), looked func(int)) error {
	var after uuid.UUID
	for {
		n, last, found, err := s.withTimesAhead(ctx, after)
		if err != nil || n == 0 {
			return err
		}
		var unknown []*Task
		for _, t := range found {
			before := t.clone()
			if err := t.rezone(s.Changes.Now()); err != nil {
				return err
			}
			done := t.rezonedFrom(before)
			switch {
			case done == nil || dryRun:
			case done.moved():
				if done, err = s.rezoneOne(ctx, t.ID); err != nil {
					return err
				}
			default:
				unknown = append(unknown, before, t)
			}
			if done != nil {
				each(*done)
			}
		}
		if err := s.saveWalls(ctx, unknown); err != nil {
			return err
		}
		looked(n)
		after = last
	}
}

// withTimesAhead reads of the next n tasks behind an id those that are open and of which
// something lies ahead. It walks along the primary key: an index for this alone would
// cost every change of a task more than a walk costs that is made a few times a year.
func (s *Store) withTimesAhead(ctx context.Context, after uuid.UUID) (n int, last uuid.UUID, found []*Task, err error) {
	var end struct {
		N  int       `bun:"n"`
		ID uuid.UUID `bun:"id"`
	}
	err = s.DB.NewRaw(`SELECT count(*) AS n, coalesce((array_agg(id ORDER BY id DESC))[1], ?0) AS id
		FROM (SELECT id FROM task.tasks WHERE id > ?0 ORDER BY id LIMIT ?1) t`, after, rezoneBatch).Scan(ctx, &end)
	if err != nil {
		return 0, after, nil, fmt.Errorf("look for tasks: %w", err)
	}
	now := s.Changes.Now()
	err = s.DB.NewRaw(`SELECT id, due_at, all_day, timezone, due_wall FROM task.tasks t
		WHERE id > ? AND id <= ? AND NOT is_complete
		AND (due_at > ? OR EXISTS (SELECT FROM task.reminders r WHERE r.task_id = t.id AND r.at > ?)) ORDER BY id`,
		after, end.ID, now, now).Scan(ctx, &found)
	if err != nil {
		return 0, after, nil, fmt.Errorf("read tasks with something ahead: %w", err)
	}
	return end.N, end.ID, found, readReminders(ctx, s.DB, found, "")
}

// rezone moves what lies ahead of t to where it was meant.
func (t *Task) rezone(now time.Time) error {
	if t.DueAt != nil && t.DueAt.After(now) {
		at, err := meantAt(t.DueWall, *t.DueAt, t.Timezone, t.AllDay)
		if err != nil {
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
		t.DueAt, t.DueWall = &at, movedWall(t.DueWall, *t.DueAt, at, t.Timezone)
	}
	for i := range t.Reminders {
		r := &t.Reminders[i]
		if r.At == nil || !r.At.After(now) {
			continue
		}
		at, err := meantAt(r.AtWall, *r.At, t.Timezone, false)
		if err != nil {
			return fmt.Errorf("task %s: %w", t.ID, err)
		}
		r.At, r.AtWall = &at, movedWall(r.AtWall, *r.At, at, t.Timezone)
	}
	t.keepWalls()
	return nil
}

// rezonedFrom is how t differs from before; nil where it does not.
func (t *Task) rezonedFrom(before *Task) *Rezoned {
	done := Rezoned{TaskID: t.ID, Timezone: t.Timezone, Noted: t.DueWall != before.DueWall}
	if t.DueAt != nil && !t.DueAt.Equal(*before.DueAt) {
		done.DueWas, done.DueAt, done.Noted = *before.DueAt, *t.DueAt, false
	}
	for i, r := range t.Reminders {
		switch was := before.Reminders[i]; {
		case !equalTime(r.At, was.At):
			done.Reminders++
		case r.AtWall != was.AtWall:
			done.Noted = true
		}
	}
	if !done.moved() && !done.Noted {
		return nil
	}
	return &done
}

// rezoneOne moves a task in a transaction of its own, so that it has one lock at a time.
// It returns nil where nothing is left to be moved.
func (s *Store) rezoneOne(ctx context.Context, id uuid.UUID) (done *Rezoned, err error) {
	actor := access.Actor{Service: "rezone"}
	err = s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		done = nil
		t, err := lock(ctx, tx, id)
		if errors.Is(err, errNotFound) || err == nil && t.IsComplete {
			return nil
		}
		if err != nil {
			return err
		}
		before := t.clone()
		if err := t.rezone(tx.Now); err != nil {
			return err
		}
		now := t.rezonedFrom(before)
		if now == nil || !now.moved() {
			return nil
		}
		done = now
		if err := t.arm(before, tx.Now); err != nil {
			return err
		}
		t.armLatestMissed(before, tx.Now)
		t.carriedOn(t.Version + 1)
		t.Version++
		t.UpdatedAt = tx.Now
		if err := update(ctx, tx, before, t); err != nil {
			return err
		}
		return appendEvents(tx, []string{event.TaskUpdated}, before, t, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("move task %s: %w", id, err)
	}
	return done, nil
}

// armLatestMissed undoes what arm does with reminders whose moment was past and still is. arm
// takes those that moved for set anew by their user, and fires the latest; here that of a
// week before would come a second time, because its moment of then is another now. Of
// those that had yet to fire, and whose moment is past now, the latest fires. One that
// has fired just now is taken for one of these: when its task moved, its delivery may
// have been called off.
func (t *Task) armLatestMissed(before *Task, now time.Time) {
	var latest *Reminder
	for i := range t.Reminders {
		r, was := &t.Reminders[i], before.Reminders[i]
		if r.RemindAt == nil || r.RemindAt.After(now) || equalTime(r.RemindAt, was.RemindAt) || equalTime(r.RemindAt, r.FiredFor) {
			continue
		}
		r.Armed, r.PassedFor = false, r.RemindAt
		done := !was.Armed && was.RemindAt != nil && was.RemindAt.Before(now.Add(-undelivered))
		if !done && (latest == nil || r.RemindAt.After(*latest.RemindAt)) {
			latest = r
		}
	}
	if latest != nil {
		latest.Armed, latest.PassedFor = true, nil
	}
}

// saveWalls writes down what the clocks show, of tasks of which nothing else changes; they
// come in pairs, as they were and as they are. Whoever has changed one meanwhile has
// written that down himself.
func (s *Store) saveWalls(ctx context.Context, pairs []*Task) error {
	if len(pairs) == 0 {
		return nil
	}
	type texts struct{ ids, was, is []string }
	var tasks, reminders texts
	add := func(to *texts, id uuid.UUID, was, is string) {
		to.ids, to.was, to.is = append(to.ids, id.String()), append(to.was, was), append(to.is, is)
	}
	for i := 0; i < len(pairs); i += 2 {
		was, is := pairs[i], pairs[i+1]
		add(&tasks, is.ID, was.DueWall, is.DueWall)
		for k, r := range is.Reminders {
			if before := was.Reminders[k].AtWall; r.AtWall != before {
				add(&reminders, r.ID, before, r.AtWall)
			}
		}
	}
	err := s.Changes.Do(ctx, access.Actor{Service: "rezone"}, func(ctx context.Context, tx *change.Tx) error {
		// Who changes a reminder locks its task first.
		_, err := tx.NewRaw("SELECT FROM task.tasks WHERE id = ANY(?::uuid[]) ORDER BY id FOR NO KEY UPDATE", pgdialect.Array(tasks.ids)).Exec(ctx)
		if err != nil {
			return err
		}
		for _, part := range []struct {
			table, column string
			texts
		}{{"tasks", "due_wall", tasks}, {"reminders", "at_wall", reminders}} {
			_, err := tx.NewRaw("UPDATE task."+part.table+" t SET "+part.column+` = nullif(n.wall, '')
				FROM unnest(?::uuid[], ?::text[], ?::text[]) n (id, was, wall)
				WHERE t.id = n.id AND coalesce(`+part.column+", '') = n.was AND n.was <> n.wall",
				pgdialect.Array(part.ids), pgdialect.Array(part.was), pgdialect.Array(part.is)).Exec(ctx)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write down what the clocks of %d tasks show: %w", len(pairs)/2, err)
	}
	return nil
}

// meantAt is the moment for the time on the wall that text says was meant with at. It is
// at, where the clock shows that time at that moment, and where it is not known.
func meantAt(text string, at time.Time, zone string, allDay bool) (time.Time, error) {
	wall, ok := wallOf(text, at, zone)
	location, err := recurrence.Location(zone)
	if err != nil || !ok || clock(at, location).Equal(wall) {
		return at, err
	}
	moment, err := recurrence.Resolve(wall.Format(recurrence.WallLayout), zone, allDay)
	if err == nil && !allDay {
		moment = moment.Add(time.Duration(wall.Nanosecond()))
	}
	return moment, err
}

// movedWall is a text of one moment for another: the time on the wall stays, also where
// a clock that goes forward leaves it out, until the laws have it again.
func movedWall(text string, was, at time.Time, zone string) string {
	wall, ok := wallOf(text, was, zone)
	if !ok || at.Equal(was) {
		return text
	}
	return wallText(wall, at, zone)
}
