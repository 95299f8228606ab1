package task

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// with is the recurrence of a draft, anchored where that of before was. A nil draft
// is none.
func (d *RecurrenceDraft) with(before *event.Recurrence) *event.Recurrence {
	if d == nil {
		return nil
	}
	r := &event.Recurrence{
		RRule: d.RRule, Basis: cmp.Or(d.Basis, recurrence.BasisDue), MonthEnd: cmp.Or(d.MonthEnd, recurrence.MonthEndClamp),
		DSTGap: cmp.Or(d.DSTGap, recurrence.DSTGapForward), Missed: cmp.Or(d.Missed, recurrence.MissedCollapse),
	}
	if before != nil {
		r.Anchor, r.Ordinal = before.Anchor, before.Ordinal
	}
	return r
}

// tags drops repetitions and keeps the order.
func tags(in []string) []string {
	out := make([]string, 0, len(in))
	seen := map[string]bool{}
	for _, tag := range in {
		if !seen[tag] {
			seen[tag] = true
			out = append(out, tag)
		}
	}
	return out
}

// problems collects what is wrong with a task, so that it is said at once.
type problems []refuse.Field

func (p *problems) add(name, message string) {
	*p = append(*p, refuse.Field{Name: name, Message: message})
}

func (p *problems) addErr(name string, err error) {
	message := err.Error()
	var field *recurrence.FieldError
	if errors.As(err, &field) {
		message = field.Message
	}
	p.add(name, message)
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return refuse.Parts(p...)
}

// moment is a time as it is stored, or nil where it can not be.
func (p *problems) moment(name string, t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	if !database.StorableTime(*t) {
		p.add(name, database.TimeRange)
		return nil
	}
	// Postgres stores microseconds; what is answered now must be what is read later.
	u := t.UTC().Truncate(time.Microsecond)
	return &u
}

// normalize brings t into the form it is stored in and collects what can not be.
func (p *problems) normalize(t *Task) {
	if strings.TrimSpace(t.Title) == "" {
		p.add("title", "must not be blank")
	}
	for _, text := range []struct {
		name, value string
		most        int
	}{{"title", t.Title, maxTitle}, {"description", t.Description, maxDescription}} {
		if utf8.RuneCountInString(text.value) > text.most {
			p.add(text.name, fmt.Sprintf("must not be longer than %d characters", text.most))
		}
	}
	if len(t.Tags) > maxTags {
		p.add("tags", fmt.Sprintf("there can be %d", maxTags))
	}
	for _, tag := range t.Tags {
		if n := utf8.RuneCountInString(tag); strings.TrimSpace(tag) == "" || n > maxTag {
			p.add("tags", "each must have 1 to 50 characters and not be blank")
			break
		}
	}
	if _, err := recurrence.Location(t.Timezone); err != nil {
		p.addErr("timezone", err)
		return
	}
	written := t.DueAt
	if t.DueAt = p.moment("due_at", t.DueAt); t.DueAt == nil || !t.AllDay {
		return
	}
	date, err := recurrence.Written(*written, t.Timezone, true)
	if wall, ok := wallOf(t.DueWall, *t.DueAt, t.Timezone); ok {
		date = wall.Format(recurrence.WallLayout) // the date that it has, sent back as it was read
	}
	if err == nil {
		var at time.Time
		if at, err = recurrence.Resolve(date, t.Timezone, true); err == nil {
			at = at.UTC()
			t.DueAt = &at
		}
	}
	if err != nil {
		p.addErr("due_at", err)
	}
}

// needsDue refuses what the user himself sets to count from a due time that is not there.
func (p *problems) needsDue(t *Task, reminders []ReminderDraft, recurrence bool) {
	if t.DueAt != nil {
		return
	}
	if recurrence {
		p.add("recurrence", "needs a due_at to count from")
	}
	for _, r := range reminders {
		if r.BeforeDue != "" {
			p.add("reminders", "before_due needs a due_at to count from")
			return
		}
	}
}
