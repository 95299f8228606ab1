package task

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Follower is what follows a completed task: Next, or nothing where its rule has ended.
type Follower struct {
	Next    *Task
	Created bool // just now
}

// Follow has a completed task of the actor followed by the next occurrence of its
// series. It is followed once for each completion: later calls answer what stands.
func (s *Store) Follow(ctx context.Context, actor access.Actor, id uuid.UUID) (f Follower, err error) {
	err = s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		f = Follower{}
		last, err := lock(ctx, tx, id)
		switch {
		case err != nil:
			return err
		case !last.recurs():
			return refuse.Because(refuse.NotRecurring, "the task does not recur any more")
		case !last.IsComplete:
			return refuse.Because(refuse.NotComplete, "the task is not complete, or not any more")
		case last.Followed:
			f.Next, err = standing(ctx, tx, last)
			return err
		}
		if f, err = follow(ctx, tx, last, false); err != nil {
			return err
		}
		return markFollowed(ctx, tx, last)
	})
	return f, err
}

func markFollowed(ctx context.Context, tx *change.Tx, last *Task) error {
	if _, err := tx.NewUpdate().Model((*Task)(nil)).Set("followed = true").Where("id = ?", last.ID).Exec(ctx); err != nil {
		return fmt.Errorf("mark the task as followed: %w", err)
	}
	return nil
}

// Unfollowed says whether a completed task has yet to be followed, as Follow would do it.
// Of a task that is gone, open or recurs no more it is false.
func Unfollowed(ctx context.Context, db bun.IDB, id uuid.UUID) (bool, error) {
	last := new(Task)
	err := db.NewSelect().Model(last).Where("id = ?", id).Where("is_complete AND NOT followed AND recurrence IS NOT NULL").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && !last.recurs() {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read a completed task: %w", err)
	}
	if open, err := openAfter(ctx, db, last); err != nil || open != nil {
		return false, err
	}
	o, _, err := nextOccurrence(ctx, db, last, *last.CompletedAt, false)
	return o != nil, err
}

// recurs says whether the task is an occurrence of a series that has a rule.
func (t *Task) recurs() bool { return t.Recurrence != nil && t.SeriesID != nil && t.Occurrence != nil }

// standing is what followed a task at the time; nil where its rule had ended.
func standing(ctx context.Context, tx *change.Tx, last *Task) (*Task, error) {
	next, err := openAfter(ctx, tx, last)
	if err != nil || next != nil {
		return next, err
	}
	next = new(Task)
	err = tx.NewSelect().Model(next).Where("follows_id = ?", last.ID).OrderExpr("created_at DESC").Limit(1).Scan(ctx)
	if !errors.Is(err, sql.ErrNoRows) {
		return next, err
	}
	o, _, err := nextOccurrence(ctx, tx, last, *last.CompletedAt, false)
	if err == nil && o != nil {
		err = refuse.Because(refuse.AlreadyFollowed, "it has been followed, by a task that is done or gone")
	}
	return nil, err
}

// follow creates what comes after the last task of a series that was completed or, just
// now, skipped. Where one of the series is open that was created later it stands: a
// series has one open end.
func follow(ctx context.Context, tx *change.Tx, last *Task, skipped bool) (Follower, error) {
	parent, err := parentNow(ctx, tx, last.ParentID)
	if err != nil {
		return Follower{}, err
	}
	return followUnder(ctx, tx, last, skipped, parent)
}

func followUnder(ctx context.Context, tx *change.Tx, last *Task, skipped bool, parent *uuid.UUID) (Follower, error) {
	next, err := openAfter(ctx, tx, last)
	if err != nil {
		return Follower{}, err
	}
	if next != nil {
		return Follower{Next: next}, moveSubtasks(ctx, tx, last, next)
	}
	at := tx.Now
	if !skipped {
		at = *last.CompletedAt
	}
	o, ordinal, err := nextOccurrence(ctx, tx, last, at, skipped)
	if err != nil || o == nil {
		return Follower{}, err
	}
	if next, err = last.following(*o, ordinal, tx.Now); err != nil {
		return Follower{}, err
	}
	next.ParentID = parent
	if err := identify(ctx, tx, next); err != nil {
		return Follower{}, err
	}
	next.madeBySeries(next.Version)
	if err := insert(ctx, tx, next, map[string]any{event.MetaFollows: *last.Occurrence}); err != nil {
		return Follower{}, err
	}
	if err := copySubtasks(ctx, tx, last, next); err != nil {
		return Follower{}, err
	}
	return Follower{Next: next, Created: true}, moveSubtasks(ctx, tx, last, next)
}

// openAfter is the open task of a series that was created after another, if there is one.
func openAfter(ctx context.Context, db bun.IDB, t *Task) (*Task, error) {
	open := new(Task)
	err := db.NewSelect().Model(open).Where("series_id = ?", *t.SeriesID).Where("created_at > ?", t.CreatedAt).
		Where("NOT is_complete").OrderExpr("created_at").Limit(1).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for the open occurrence of the series: %w", err)
	}
	return open, nil
}

// nextOccurrence is what the rule says comes after a task that was completed or skipped
// then, and its place in the series; nil where the rule has ended.
func nextOccurrence(ctx context.Context, db bun.IDB, last *Task, then time.Time, skipped bool) (*recurrence.Occurrence, int, error) {
	ordinal, err := lastOrdinal(ctx, db, last)
	if err != nil {
		return nil, 0, err
	}
	past := past{of: last}
	current := recurrence.Position{
		Wall: *last.Occurrence, Ordinal: ordinal, Skipped: skipped,
		Taken: func(o recurrence.Occurrence) bool { return past.has(ctx, db, o) },
	}
	if last.DueAt != nil {
		current.Due = *last.DueAt
	}
	o, err := last.rule().Next(current, then)
	if err = errors.Join(err, past.err); err != nil {
		return nil, 0, fmt.Errorf("work out what follows task %s: %w", last.ID, err)
	}
	if o != nil && !database.StorableTime(o.At) {
		o = nil // beyond all times that a task can be due
	}
	return o, ordinal + 1, nil
}

func (t *Task) rule() recurrence.Rule { return t.Recurrence.Rule(t.Timezone, t.AllDay) }

// lastOrdinal is the place of the last occurrence that a series has had, which COUNT
// counts with basis "completion": that of t, and one more for each created after it.
func lastOrdinal(ctx context.Context, db bun.IDB, t *Task) (int, error) {
	if t.Recurrence.Basis != recurrence.BasisCompletion {
		return 0, nil
	}
	var later, before int
	err := db.NewRaw(`SELECT count(*) FILTER (WHERE created_at > ?), count(*) FILTER (WHERE created_at <= ?) FROM (
			SELECT created_at FROM task.tasks WHERE series_id = ?
			UNION ALL SELECT created_at FROM task.gone_occurrences WHERE series_id = ? AND NOT taken_back) o`,
		t.CreatedAt, t.CreatedAt, *t.SeriesID, *t.SeriesID).Scan(ctx, &later, &before)
	if err != nil {
		return 0, fmt.Errorf("count the occurrences of the series: %w", err)
	}
	if t.Recurrence.Ordinal > 0 {
		before = t.Recurrence.Ordinal
	}
	return before + later, nil
}

// past is what a series has had, near the first occurrence that is asked for and after
// it: usually nothing.
type past struct {
	of      *Task
	loaded  bool
	walls   map[string]bool
	moments map[int64]bool // of a series with times, in whatever zone they were
	err     error
}

// has says whether the series has had an occurrence: of the same wall time, of the same
// moment, which may have been that of another zone, or, all-day, on the same date.
func (p *past) has(ctx context.Context, db bun.IDB, o recurrence.Occurrence) bool {
	if !database.StorableTime(o.At) {
		return false // there can be none, and nothing is behind it
	}
	if !p.loaded {
		p.loaded = true
		p.err = p.load(ctx, db, o.Wall)
	}
	if p.err == nil {
		p.err = ctx.Err() // whoever asked may have gone, and thousands may be taken
	}
	return p.err == nil && (p.walls[o.Wall] || p.moments[o.At.Unix()])
}

func (p *past) load(ctx context.Context, db bun.IDB, wall string) error {
	on, err := time.Parse(recurrence.WallLayout, wall)
	if err != nil {
		return fmt.Errorf("read an occurrence: %w", err)
	}
	var found []struct {
		Occurrence string     `bun:"occurrence"`
		At         *time.Time `bun:"at"` // of one that is gone
		Timezone   string     `bun:"timezone"`
		AllDay     bool       `bun:"all_day"`
	}
	// The same moment is another wall time elsewhere, by 26 hours at most.
	from := on.AddDate(0, 0, -2).Format(recurrence.WallLayout)
	err = db.NewRaw(`SELECT occurrence, NULL::timestamptz AS at, timezone, all_day FROM task.tasks WHERE series_id = ? AND occurrence >= ? AND id <> ?
		UNION ALL SELECT occurrence, at, '', all_day FROM task.gone_occurrences WHERE series_id = ? AND occurrence >= ? AND NOT taken_back`,
		*p.of.SeriesID, from, p.of.ID, *p.of.SeriesID, from).Scan(ctx, &found)
	if err != nil {
		return fmt.Errorf("read what the series has had: %w", err)
	}
	p.walls, p.moments = map[string]bool{}, map[int64]bool{}
	for _, had := range found {
		p.walls[had.Occurrence] = true
		if p.of.AllDay && had.AllDay {
			continue // a date is the same everywhere
		}
		if had.At == nil {
			at, err := recurrence.Resolve(had.Occurrence, had.Timezone, had.AllDay)
			if err != nil {
				return fmt.Errorf("work out what an occurrence stands for: %w", err)
			}
			had.At = &at
		}
		if !p.of.AllDay {
			p.moments[had.At.Unix()] = true
			continue
		}
		date, err := recurrence.WallOf(*had.At, p.of.Timezone, true)
		if err != nil {
			return fmt.Errorf("work out the date of an occurrence: %w", err)
		}
		p.walls[date] = true
	}
	return nil
}

// following is the next task of last's series.
func (last *Task) following(o recurrence.Occurrence, ordinal int, now time.Time) (*Task, error) {
	next := last.clone()
	next.FollowsID, next.Followed = &last.ID, false
	next.Occurrence, next.DueAt = &o.Wall, &o.At
	next.DueWall = occurrenceWall(o.Wall, o.At, last.Timezone)
	if next.Recurrence.Basis == recurrence.BasisCompletion {
		// It does not follow from the rule: it is where the rule goes on from, unless it is
		// so far away that no rule may begin there.
		next.Recurrence.Anchor, next.Recurrence.Ordinal = o.Wall, ordinal
		if next.rule().Validate() != nil {
			next.Recurrence.Anchor = last.Recurrence.Anchor
		}
	}
	by, err := last.distance(next)
	if err != nil {
		return nil, err
	}
	next.ID = event.OccurrenceID(*last.SeriesID, o.Wall)
	return next, next.start(by, now)
}

// identify finds the id and the version of a new occurrence. One that was taken back
// comes again as the task that it was, with versions that go on.
func identify(ctx context.Context, tx *change.Tx, next *Task) error {
	var was struct {
		TaskID   uuid.UUID  `bun:"task_id"`
		Version  int64      `bun:"version"`
		Reminded *time.Time `bun:"reminded"`
	}
	err := tx.NewRaw("DELETE FROM task.gone_occurrences WHERE series_id = ? AND occurrence = ? AND taken_back RETURNING task_id, version, reminded", *next.SeriesID, *next.Occurrence).Scan(ctx, &was)
	switch {
	case err == nil:
		next.ID, next.Version, next.reminded = was.TaskID, was.Version+1, was.Reminded
	case errors.Is(err, sql.ErrNoRows):
		// The task with that id may stand, or have stood, for another date of the series.
		var used bool
		err := tx.NewRaw(`SELECT EXISTS (SELECT FROM task.tasks WHERE id = ?) OR EXISTS (SELECT FROM task.gone_occurrences WHERE series_id = ? AND task_id = ?)`,
			next.ID, *next.SeriesID, next.ID).Scan(ctx, &used)
		if err != nil {
			return fmt.Errorf("look for the occurrence: %w", err)
		}
		if !used {
			return nil
		}
		if next.ID, err = uuid.NewV7(); err != nil {
			return fmt.Errorf("make a task id: %w", err)
		}
	default:
		return fmt.Errorf("look for the occurrence as it was: %w", err)
	}
	for i := range next.Reminders {
		next.Reminders[i].TaskID = next.ID
	}
	return nil
}

// stoodFor is the moment of the occurrence that a task of a series stands for, also
// where its due time was moved.
func (last *Task) stoodFor() (time.Time, error) {
	at, err := recurrence.Resolve(*last.Occurrence, last.Timezone, last.AllDay)
	if err != nil {
		return time.Time{}, fmt.Errorf("work out the last occurrence's time: %w", err)
	}
	return at, nil
}

// distance is how far the next occurrence is from the last by the clock on the wall, in
// seconds: what it inherits is moved by that, wherever their due times are.
func (last *Task) distance(next *Task) (int64, error) {
	from, err := time.Parse(recurrence.WallLayout, *last.Occurrence)
	to, failed := time.Parse(recurrence.WallLayout, *next.Occurrence)
	if err = errors.Join(err, failed); err != nil {
		return 0, fmt.Errorf("work out the distance of two occurrences: %w", err)
	}
	return to.Unix() - from.Unix(), nil
}

// start makes a copied task a new one: open, with fixed reminders moved by so many seconds
// on the wall.
func (t *Task) start(by int64, now time.Time) error {
	t.complete(false, now)
	t.Version, t.CreatedAt, t.UpdatedAt = 1, now, now
	for i := range t.Reminders {
		r := &t.Reminders[i]
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make a reminder id: %w", err)
		}
		*r = Reminder{ID: id, TaskID: t.ID, UserID: r.UserID, Ordinal: r.Ordinal, At: r.At, BeforeDue: r.BeforeDue}
		if r.At != nil {
			at, err := shift(*r.At, by, t.Timezone, false)
			if err != nil {
				return err
			}
			r.At = &at
		}
	}
	return nil
}

// shift moves t by so many seconds on the wall in the zone.
func shift(t time.Time, by int64, zone string, allDay bool) (time.Time, error) {
	location, err := recurrence.Location(zone)
	if err != nil {
		return time.Time{}, fmt.Errorf("load the zone of a stored task: %w", err)
	}
	at, err := recurrence.Resolve(time.Unix(clock(t, location).Unix()+by, 0).UTC().Format(event.WallLayout), zone, allDay)
	if err != nil {
		return time.Time{}, fmt.Errorf("move a time with its task: %w", err)
	}
	return at.UTC(), nil
}
