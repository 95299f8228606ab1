package task

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Draft is a whole task as its user wants it. What is left out is empty.
type Draft struct {
	Title       string
	Description string
	IsComplete  bool
	Priority    string
	Tags        []string
	DueAt       *time.Time
	AllDay      bool
	Timezone    string // "": the user's
	Reminders   []ReminderDraft
	Recurrence  *RecurrenceDraft
	ParentID    *uuid.UUID
}

// ReminderDraft is a reminder as its user wants it: either At or BeforeDue. With
// the ID of one that the task has, it stays that one.
type ReminderDraft struct {
	ID        *uuid.UUID
	At        *time.Time
	BeforeDue string
}

// RecurrenceDraft is a recurrence as its user wants it. What is left out has its default.
type RecurrenceDraft struct {
	RRule, Basis, MonthEnd, DSTGap, Missed string
}

// Patch changes parts of a task: absent keeps, null clears (RFC 7396).
type Patch struct {
	Title       Optional[string]
	Description Optional[string]
	IsComplete  Optional[bool]
	Priority    Optional[string]
	Tags        Optional[[]string]
	DueAt       Optional[time.Time]
	AllDay      Optional[bool]
	Timezone    Optional[string]
	Reminders   Optional[[]ReminderDraft]
	Recurrence  Optional[RecurrencePatch]
	ParentID    Optional[uuid.UUID]
}

// RecurrencePatch changes parts of a recurrence.
type RecurrencePatch struct {
	RRule, Basis, MonthEnd, DSTGap, Missed Optional[string]
}

// Optional is a part of a patch: absent, null, or a value.
type Optional[T any] struct {
	Present bool
	Null    bool
	Value   T
}

// or is the value, fallback when the part is absent, and zero when it is null.
func (o Optional[T]) or(fallback T) T {
	if !o.Present {
		return fallback
	}
	return o.Value
}

// pointer is nil when the part is null.
func (o Optional[T]) pointer() *T {
	if o.Null {
		return nil
	}
	return &o.Value
}

// over is the recurrence that the patch makes of was, which may be nil.
func (p RecurrencePatch) over(was *event.Recurrence) *RecurrenceDraft {
	if was == nil {
		was = &event.Recurrence{}
	}
	return &RecurrenceDraft{
		RRule: p.RRule.or(was.RRule), Basis: p.Basis.or(was.Basis), MonthEnd: p.MonthEnd.or(was.MonthEnd),
		DSTGap: p.DSTGap.or(was.DSTGap), Missed: p.Missed.or(was.Missed),
	}
}

// apply makes t what the draft says. Zone is for a task that names none.
func (d Draft) apply(t *Task, zone string, now time.Time) error {
	var p problems
	t.Title, t.Description = d.Title, d.Description
	t.Priority, t.Tags = priorityOf(d.Priority), tags(d.Tags)
	t.DueAt, t.AllDay, t.ParentID = d.DueAt, d.AllDay, d.ParentID
	t.Timezone = d.Timezone
	if t.Timezone == "" {
		t.Timezone = zone
	}
	t.Recurrence = d.Recurrence.with(t.Recurrence)
	p.reminders(t, d.Reminders)
	t.complete(d.IsComplete, now)
	p.normalize(t)
	if len(p) == 0 {
		p.needsDue(t, d.Reminders, d.Recurrence != nil)
	}
	return p.err()
}

// apply changes of t what the patch names. Zone is for a task that names none.
func (in Patch) apply(t *Task, zone string, now time.Time) error {
	var p problems
	if in.Title.Null {
		p.add("title", "can not be cleared")
	}
	t.Title, t.Description = in.Title.or(t.Title), in.Description.or(t.Description)
	if in.Priority.Present {
		t.Priority = priorityOf(in.Priority.Value)
	}
	if in.Tags.Present {
		t.Tags = tags(in.Tags.Value)
	}
	if in.DueAt.Present {
		t.DueAt = in.DueAt.pointer()
	} else if err := t.showDue(in.AllDay.or(t.AllDay)); err != nil {
		return err
	}
	t.AllDay = in.AllDay.or(t.AllDay)
	if t.Timezone = in.Timezone.or(t.Timezone); t.Timezone == "" {
		t.Timezone = zone
	}
	if in.ParentID.Present {
		t.ParentID = in.ParentID.pointer()
	}
	switch {
	case in.Recurrence.Null:
		t.Recurrence = nil
	case in.Recurrence.Present:
		t.Recurrence = in.Recurrence.Value.over(t.Recurrence).with(t.Recurrence)
	}
	if in.Reminders.Present {
		p.reminders(t, in.Reminders.Value)
	}
	t.complete(in.IsComplete.or(t.IsComplete), now)
	p.normalize(t)
	if len(p) == 0 {
		// {"due_at": null} clears only that: reminders and the recurrence that
		// count from it rest until there is a due time again.
		p.needsDue(t, in.Reminders.Value, in.Recurrence.Present && !in.Recurrence.Null)
	}
	return p.err()
}

// showDue writes a stored due time as the user sees it, before the zone may
// change: a task that stays all-day keeps its date in another zone.
func (t *Task) showDue(staysAllDay bool) error {
	if t.DueAt == nil {
		return nil
	}
	zone, err := recurrence.Location(t.Timezone)
	if err != nil {
		return fmt.Errorf("load the zone of a stored task: %w", err)
	}
	shown := t.DueAt.In(zone)
	if t.AllDay && staysAllDay {
		shown = time.Date(shown.Year(), shown.Month(), shown.Day(), 0, 0, 0, 0, time.UTC)
	}
	t.DueAt = &shown
	return nil
}

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
		r.Anchor = before.Anchor
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
	// An all-day task has a date. A time that is written as midnight names its
	// date, in whatever offset; any other is the date it falls on in the zone.
	date, err := recurrence.WallOf(*t.DueAt, t.Timezone, true)
	if h, m, s := written.Clock(); h == 0 && m == 0 && s == 0 {
		date, err = written.Format("2006-01-02")+"T00:00:00", nil
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

// complete sets whether t is done; a task that is done already keeps its time.
func (t *Task) complete(done bool, now time.Time) {
	switch {
	case done && !t.IsComplete:
		t.IsComplete, t.CompletedAt = true, &now
	case !done:
		t.IsComplete, t.CompletedAt = false, nil
	}
}
