package task

import (
	"errors"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// joinSeries gives a task with a new or changed rule a series of its own, which
// counts from the task's due time. Moving the due time of one occurrence
// leaves the series alone: the rule goes on from where it was anchored. So does
// another policy (month_end, dst_gap, missed): its COUNT does not begin anew.
func (t *Task) joinSeries(before *Task) error {
	if t.Recurrence == nil {
		return nil
	}
	if before != nil && before.Recurrence != nil && t.Recurrence.RRule == before.Recurrence.RRule && t.Recurrence.Basis == before.Recurrence.Basis &&
		t.Timezone == before.Timezone && t.AllDay == before.AllDay {
		if *t.Recurrence == *before.Recurrence {
			return nil
		}
		return ruleError(t.Recurrence.Rule(t.Timezone, t.AllDay).Validate())
	}
	if t.DueAt == nil {
		return refuse.Part("recurrence", "needs a due_at to count from")
	}
	wall, err := recurrence.WallOf(*t.DueAt, t.Timezone, t.AllDay)
	if err != nil {
		return ruleError(err)
	}
	t.Recurrence.Anchor = wall
	if err := t.Recurrence.Rule(t.Timezone, t.AllDay).Validate(); err != nil {
		return ruleError(err)
	}
	series, err := uuid.NewV7()
	if err != nil {
		return err
	}
	t.SeriesID, t.Occurrence = &series, &wall
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
