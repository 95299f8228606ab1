package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Spawn creates the task that follows a completed one in its series: clean,
// with its subtasks open and its reminders set against the new due time. A
// task is followed once: later calls answer the one that exists.
func (s *Store) Spawn(ctx context.Context, actor access.Actor, ask taskapi.Next) (*Task, bool, error) {
	if _, err := time.Parse(event.WallLayout, ask.Occurrence); err != nil {
		return nil, false, refuse.Part("occurrence", "must be a wall time such as 2027-03-28T09:00:00")
	}
	var p problems
	due := p.moment("due_at", &ask.DueAt)
	if len(p) > 0 {
		return nil, false, p.err()
	}
	after := ask.AfterTaskID
	var next *Task
	created := false
	err := s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		created = false
		// From above: the next occurrence is under the same parent, whose row its
		// foreign key locks.
		_, err := tx.NewRaw("SELECT FROM task.tasks WHERE id = (SELECT parent_id FROM task.tasks WHERE id = ?) FOR KEY SHARE", after).Exec(ctx)
		if err != nil {
			return fmt.Errorf("lock the parent of the completed task: %w", err)
		}
		last := new(Task)
		// The lock makes a second call wait for the first.
		may := actor.Tasks()
		err = tx.NewSelect().Model(last).Where("id = ?", after).Where(may.SQL, may.Args...).For("UPDATE").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return errNotFound
		}
		if err != nil {
			return fmt.Errorf("read the completed task: %w", err)
		}
		next = new(Task)
		err = tx.NewSelect().Model(next).Where("follows_id = ?", after).Scan(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("look for the next occurrence: %w", err)
		}
		if last.Followed {
			return refuse.Because(refuse.AlreadyFollowed, "the task that followed was deleted")
		}
		if last.Recurrence == nil || last.SeriesID == nil || last.Occurrence == nil {
			return refuse.Because(refuse.NotRecurring, "the task does not recur any more")
		}
		if err := readReminders(ctx, tx, []*Task{last}, ""); err != nil {
			return err
		}
		if next, err = last.following(ask.Occurrence, *due, tx.Now); err != nil {
			return err
		}
		var exists bool
		if err := tx.NewRaw("SELECT EXISTS (SELECT FROM task.tasks WHERE id = ?)", next.ID).Scan(ctx, &exists); err != nil {
			return fmt.Errorf("look for the occurrence: %w", err)
		}
		if exists {
			return refuse.Because(refuse.OccurrenceExists, "the series has this occurrence already")
		}
		created = true
		if _, err := tx.NewUpdate().Model((*Task)(nil)).Set("followed = true").Where("id = ?", last.ID).Exec(ctx); err != nil {
			return fmt.Errorf("mark the task as followed: %w", err)
		}
		if err := insert(ctx, tx, next); err != nil {
			return err
		}
		subtasks, err := subtasksOf(ctx, tx, last.ID, "SHARE")
		if err != nil {
			return err
		}
		for _, sub := range oneOfEachSeries(subtasks) {
			copied, err := sub.copyUnder(last, next, tx.Now)
			if err != nil {
				return err
			}
			if err := insert(ctx, tx, copied); err != nil {
				return err
			}
		}
		return nil
	})
	return next, created, err
}

// following is the next task of last's series.
func (last *Task) following(occurrence string, due, now time.Time) (*Task, error) {
	next := last.clone()
	next.ID = event.OccurrenceID(*last.SeriesID, occurrence)
	next.FollowsID, next.Followed = &last.ID, false
	next.Occurrence, next.DueAt = &occurrence, &due
	from, err := last.stoodFor()
	if err != nil {
		return nil, err
	}
	return next, next.start(from, due, now)
}

// stoodFor is the moment of the occurrence that a task of a series stands for, also
// where its due time was moved. What the next one inherits keeps its distance from
// that, by the clock on the wall.
func (last *Task) stoodFor() (time.Time, error) {
	at, err := recurrence.Resolve(*last.Occurrence, last.Timezone, last.AllDay)
	if err != nil {
		return time.Time{}, fmt.Errorf("work out the last occurrence's time: %w", err)
	}
	return at, nil
}

// oneOfEachSeries leaves of the subtasks that recur the latest of each series.
func oneOfEachSeries(subtasks []*Task) []*Task {
	latest := map[uuid.UUID]*Task{}
	for _, t := range subtasks {
		if t.SeriesID == nil || t.Occurrence == nil {
			continue
		}
		if l := latest[*t.SeriesID]; l == nil || *l.Occurrence < *t.Occurrence {
			latest[*t.SeriesID] = t
		}
	}
	return slices.DeleteFunc(subtasks, func(t *Task) bool {
		return t.SeriesID != nil && latest[*t.SeriesID] != nil && latest[*t.SeriesID] != t
	})
}

// copyUnder is a subtask of last, open again under next. It keeps its distance
// in time from its parent.
func (t *Task) copyUnder(last, next *Task, now time.Time) (*Task, error) {
	c := t.clone()
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("make a task id: %w", err)
	}
	c.ID, c.ParentID = id, &next.ID
	c.SeriesID, c.Occurrence, c.FollowsID, c.Followed = nil, nil, nil, false
	from, err := last.stoodFor()
	if err != nil {
		return nil, err
	}
	to := *next.DueAt
	if t.DueAt != nil {
		at, err := shift(*t.DueAt, from, to, t.Timezone, t.AllDay)
		if err != nil {
			return nil, err
		}
		c.DueAt = &at
	}
	if c.DueAt == nil {
		c.Recurrence = nil
	}
	// One that recurs begins a series of its own under the new parent.
	if err := c.joinSeries(nil); err != nil {
		return nil, err
	}
	return c, c.start(from, to, now)
}

// start makes a copied task a new one: open, at its first version, with fixed
// reminders moved as its due time moved from one time to another.
func (t *Task) start(from, to, now time.Time) error {
	t.complete(false, now)
	t.Version, t.CreatedAt, t.UpdatedAt = 1, now, now
	for i := range t.Reminders {
		r := &t.Reminders[i]
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make a reminder id: %w", err)
		}
		*r = Reminder{ID: id, TaskID: t.ID, Ordinal: r.Ordinal, At: r.At, BeforeDue: r.BeforeDue}
		if r.At != nil {
			at, err := shift(*r.At, from, to, t.Timezone, false)
			if err != nil {
				return err
			}
			r.At = &at
		}
	}
	return nil
}

// shift moves t by what lies between from and to on the wall in the zone.
func shift(t, from, to time.Time, zone string, allDay bool) (time.Time, error) {
	location, err := recurrence.Location(zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("load the zone of a stored task: %w", err)
	}
	wall := func(t time.Time) time.Time {
		t = t.In(location)
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
	}
	moved := wall(t).Add(wall(to).Sub(wall(from)))
	at, err := recurrence.Resolve(moved.Format(event.WallLayout), zone, allDay)
	if err != nil {
		return time.Time{}, fmt.Errorf("move a time with its task: %w", err)
	}
	return at.UTC(), nil
}
