package task

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// lockSeries takes the locks that come before that of a task of a series: the series,
// so that what becomes of it is decided by one change at a time, and the parent that
// its next occurrence will be under. Of a task in no series it takes none.
func lockSeries(tx *change.Tx, id uuid.UUID) {
	may := tx.Actor.Tasks()
	args := append([]any{id}, may.Args...)
	of := " FROM task.tasks WHERE id = ? AND " + may.SQL + " AND series_id IS NOT NULL"
	tx.Queue("SELECT pg_advisory_xact_lock(hashtextextended(series_id::text, 0))"+of, args...)
	tx.Queue("SELECT FROM task.tasks WHERE id = (SELECT parent_id"+of+") FOR KEY SHARE", args...)
}

// beginSeries has a task that recurs begin a series, which counts from its due time.
func (t *Task) beginSeries() error {
	if t.Recurrence == nil {
		return nil
	}
	if err := t.nameSeries(); err != nil {
		return err
	}
	return t.begin()
}

// joinSeries gives a task the place in its series that an edit has made.
//
// A task that gets a rule begins a series. Another rule is that of the same series from
// this occurrence on, and counts from it. In another zone, or as an all-day task, the
// series stays at the moments, or dates, that it had. A new due time is this occurrence's
// alone, unless it is to be that of the following ones. Only another rule begins COUNT anew.
func (t *Task) joinSeries(before *Task, e edit) error {
	switch {
	case t.Recurrence == nil:
		return nil
	case !before.recurs():
		return t.beginSeries()
	case anotherRule(before.Recurrence, t.Recurrence):
		if moved := e.due && !equalTime(t.DueAt, before.DueAt); moved || t.DueAt == nil || t.Timezone != before.Timezone || t.AllDay != before.AllDay {
			return t.begin()
		}
		return t.beginAt(*before.Occurrence)
	case e.following && e.due && t.DueAt != nil:
		return t.anchorAtDue(before)
	case t.Timezone != before.Timezone || t.AllDay != before.AllDay:
		return t.moveSeries(before, e.due && t.DueAt != nil && !equalTime(t.DueAt, before.DueAt))
	case *t.Recurrence != *before.Recurrence:
		return t.keepCount(before)
	}
	return nil
}

// keepCount has COUNT go on where another policy has other dates before this occurrence:
// what has been there was there, whatever the rule would say of it now.
func (t *Task) keepCount(before *Task) error {
	was, err := before.rule().Place(*before.Occurrence)
	if err != nil {
		return ruleError(err)
	}
	is, err := t.rule().Place(*before.Occurrence)
	if err != nil {
		return ruleError(err)
	}
	if ordinal := max(1, t.Recurrence.Ordinal) + was - is; ordinal >= 1 {
		return t.standFor(*before.Occurrence, t.Recurrence.Anchor, ordinal)
	}
	// Dates that were left out would be there: what stands is none of them.
	return t.standFor(*before.Occurrence, *before.Occurrence, was)
}

// anotherRule says whether a recurrence has another rule than before, not only another
// spelling of it (RFC 5545 is a grammar whose letters are of any case) or other policies.
func anotherRule(before, r *event.Recurrence) bool {
	return before == nil || !strings.EqualFold(r.RRule, before.RRule) || r.Basis != before.Basis
}

// begin makes the due time the anchor of the rule.
func (t *Task) begin() error {
	if t.DueAt == nil {
		return refuse.Part("recurrence", "needs a due_at to count from")
	}
	wall, err := t.wall()
	if err != nil {
		return ruleError(err)
	}
	return t.standFor(wall, wall, 1)
}

// beginAt has another rule count from the occurrence that the task stands for, wherever
// its due time was moved. Where the month had cut that short the anchor stays, unless
// COUNT is to count from here: a task of the 31st is not one of the 28th from then on.
func (t *Task) beginAt(wall string) error {
	if keeps, err := t.rule().Clamps(wall); err != nil {
		return ruleError(err)
	} else if keeps {
		return t.standFor(wall, t.Recurrence.Anchor, t.Recurrence.Ordinal)
	}
	return t.standFor(wall, wall, 1)
}

// anchorAtDue has the series go on from the due time.
func (t *Task) anchorAtDue(before *Task) error {
	wall, err := t.wall()
	if err != nil {
		return ruleError(err)
	}
	if wall == *before.Occurrence && t.Timezone == before.Timezone && t.AllDay == before.AllDay {
		return ruleError(t.rule().Validate())
	}
	anchor, ordinal, err := before.rule().AnchorAt(*before.Occurrence, wall)
	if err != nil {
		return ruleError(err)
	}
	return t.standFor(wall, anchor, ordinal)
}

// moveSeries has the series go on in another zone, or another form. Where the due time
// was given with it, that is what the occurrence stands for.
func (t *Task) moveSeries(before *Task, toDue bool) error {
	var wall string
	var err error
	switch {
	case toDue:
		wall, err = t.wall()
	case t.AllDay && before.AllDay:
		wall = *before.Occurrence // a date is the same everywhere
	default:
		at, failed := before.stoodFor()
		if failed != nil {
			return failed
		}
		wall, err = recurrence.WallOf(at, t.Timezone, t.AllDay)
	}
	if err != nil {
		return ruleError(err)
	}
	anchor, err := before.rule().Shift(*before.Occurrence, wall)
	if err != nil {
		return ruleError(err)
	}
	return t.standFor(wall, anchor, before.Recurrence.Ordinal)
}

func (t *Task) standFor(wall, anchor string, ordinal int) error {
	t.Occurrence, t.Recurrence.Anchor, t.Recurrence.Ordinal = &wall, anchor, ordinal
	return ruleError(t.rule().Validate())
}

// keepApart gives a task a series of its own where another of the same series stands, or
// has stood, for what it was moved to: no occurrence is there twice. A series remembers
// who has left it, whose id may be made of it.
func keepApart(ctx context.Context, tx *change.Tx, before, t *Task) error {
	if before.SeriesID == nil || t.SeriesID == nil {
		return nil
	}
	if equal(t.SeriesID, before.SeriesID) {
		if equal(t.Occurrence, before.Occurrence) {
			return nil
		}
		var taken bool
		err := tx.NewRaw(`SELECT EXISTS (SELECT FROM task.tasks WHERE series_id = ? AND occurrence = ? AND id <> ?)
			OR EXISTS (SELECT FROM task.gone_occurrences WHERE series_id = ? AND occurrence = ? AND NOT taken_back)`,
			*t.SeriesID, *t.Occurrence, t.ID, *t.SeriesID, *t.Occurrence).Scan(ctx, &taken)
		if err != nil {
			return fmt.Errorf("look for the occurrence that the task was moved to: %w", err)
		}
		if !taken {
			return nil
		}
		if err := t.nameSeries(); err != nil {
			return err
		}
	}
	leftSeries(tx, *before.SeriesID, t)
	return nil
}

// leftSeries remembers that a task was of a series, of which there are others.
func leftSeries(tx *change.Tx, series uuid.UUID, t *Task) {
	tx.Queue(`INSERT INTO task.gone_occurrences (series_id, task_id, all_day, version, created_at, taken_back)
		SELECT ?, ?, false, ?, ?, true WHERE EXISTS (SELECT FROM task.tasks WHERE series_id = ? AND id <> ?) ON CONFLICT DO NOTHING`,
		series, t.ID, t.Version, t.CreatedAt, series, t.ID)
}

// goesAlone says whether a task that goes to another list does so without the others of its
// series (see takeAlong): it is, or was, a subtask, or one of them is, and stays with its
// parent.
func (t *Task) goesAlone(ctx context.Context, tx *change.Tx, before *Task) (bool, error) {
	if t.SeriesID == nil || t.ParentID != nil || before.ParentID != nil {
		return true, nil
	}
	var alone bool
	err := tx.NewRaw(`SELECT EXISTS (SELECT FROM task.tasks s JOIN task.tasks p ON p.id = s.parent_id
		WHERE s.series_id = ? AND p.series_id IS DISTINCT FROM s.series_id)`, *t.SeriesID).Scan(ctx, &alone)
	if err != nil {
		return false, fmt.Errorf("look for subtasks of the series: %w", err)
	}
	return alone, nil
}

// leaveSeries gives a task a series of its own where others of its series are in another
// list: a series is in one, and who sees an occurrence sees all.
func (t *Task) leaveSeries(ctx context.Context, tx *change.Tx) error {
	if t.SeriesID == nil {
		return nil
	}
	var elsewhere bool
	err := tx.NewRaw("SELECT EXISTS (SELECT FROM task.tasks WHERE series_id = ? AND list_id <> ? AND id <> ?)", *t.SeriesID, t.ListID, t.ID).Scan(ctx, &elsewhere)
	if err != nil {
		return fmt.Errorf("look where the series is: %w", err)
	}
	if !elsewhere {
		return nil
	}
	return t.nameSeries()
}

// nameSeries gives a task a series of its own, with a new id.
func (t *Task) nameSeries() error {
	series, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a series id: %w", err)
	}
	t.SeriesID = &series
	return nil
}

func ruleError(err error) error {
	var field *recurrence.FieldError
	if !errors.As(err, &field) {
		return err
	}
	switch field.Field {
	case "timezone":
		return refuse.Part("timezone", field.Message)
	case "anchor":
		return refuse.Part("due_at", field.Message)
	default:
		return refuse.Part("recurrence."+field.Field, field.Message)
	}
}
