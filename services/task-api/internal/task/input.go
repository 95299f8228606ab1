package task

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// ReminderInput is a reminder as a request says it.
type ReminderInput struct {
	ID        *uuid.UUID `json:"id,omitempty" format:"uuid" doc:"Of a reminder that the task has already, to keep it"`
	At        *time.Time `json:"at,omitempty" doc:"At this moment. Of several that are past when they are set, only the latest is delivered"`
	BeforeDue string     `json:"before_due,omitempty" maxLength:"40" doc:"This long before the task is due: an ISO 8601 duration such as PT15M or P1D"`
}

// RecurrenceInput is a recurrence as a request says it.
type RecurrenceInput struct {
	RRule    string `json:"rrule" maxLength:"500" doc:"RFC 5545 RRULE value, DAILY or coarser" example:"FREQ=WEEKLY;BYDAY=MO"`
	Basis    string `json:"basis,omitempty" enum:"due,completion" default:"due"`
	MonthEnd string `json:"month_end,omitempty" enum:"clamp,skip" default:"clamp"`
	DSTGap   string `json:"dst_gap,omitempty" enum:"forward,skip" default:"forward"`
	Missed   string `json:"missed,omitempty" enum:"collapse,all" default:"collapse"`
	Anchor   string `json:"anchor,omitempty" readOnly:"true" maxLength:"19" doc:"Answered, and ignored in a request"`
}

// Input is a whole task as a request says it. What is left out is empty.
type Input struct {
	Title       string           `json:"title" minLength:"1" maxLength:"200"`
	Description string           `json:"description,omitempty" maxLength:"20000"`
	IsComplete  bool             `json:"is_complete,omitempty"`
	Priority    string           `json:"priority,omitempty" enum:"none,low,medium,high,urgent" default:"none"`
	Tags        []string         `json:"tags,omitempty" maxItems:"20" minLength:"1" maxLength:"50"`
	DueAt       *time.Time       `json:"due_at,omitempty" nullable:"true"`
	AllDay      bool             `json:"all_day,omitempty" doc:"Due on a date, not at a time"`
	Timezone    string           `json:"timezone,omitempty" maxLength:"64" doc:"IANA time zone; default: yours"`
	Reminders   []ReminderInput  `json:"reminders,omitempty" maxItems:"20"`
	Recurrence  *RecurrenceInput `json:"recurrence,omitempty"`
	ParentID    *uuid.UUID       `json:"parent_id,omitempty" nullable:"true" format:"uuid"`
}

// ReplaceInput is Input for PUT, which also takes what GET answered: the
// fields that only the server sets are ignored.
type ReplaceInput struct {
	Input
	ID          any `json:"id,omitempty" readOnly:"true"`
	UserID      any `json:"user_id,omitempty" readOnly:"true"`
	SeriesID    any `json:"series_id,omitempty" readOnly:"true"`
	Occurrence  any `json:"occurrence,omitempty" readOnly:"true"`
	CompletedAt any `json:"completed_at,omitempty" readOnly:"true"`
	Version     any `json:"version,omitempty" readOnly:"true"`
	CreatedAt   any `json:"created_at,omitempty" readOnly:"true"`
	UpdatedAt   any `json:"updated_at,omitempty" readOnly:"true"`
}

// PatchInput is a JSON merge patch of a task.
type PatchInput struct {
	Title       optional[string]          `json:"title,omitempty" minLength:"1" maxLength:"200" nullable:"false"`
	Description optional[string]          `json:"description,omitempty" maxLength:"20000"`
	IsComplete  optional[bool]            `json:"is_complete,omitempty"`
	Priority    optional[string]          `json:"priority,omitempty" enum:"none,low,medium,high,urgent"`
	Tags        optional[[]string]        `json:"tags,omitempty" maxItems:"20" minLength:"1" maxLength:"50"`
	DueAt       optional[time.Time]       `json:"due_at,omitempty"`
	AllDay      optional[bool]            `json:"all_day,omitempty"`
	Timezone    optional[string]          `json:"timezone,omitempty" maxLength:"64"`
	Reminders   optional[[]ReminderInput] `json:"reminders,omitempty" maxItems:"20"`
	Recurrence  optional[RecurrencePatch] `json:"recurrence,omitempty"`
	ParentID    optional[uuid.UUID]       `json:"parent_id,omitempty" format:"uuid"`
}

// RecurrencePatch is a merge patch of a recurrence.
type RecurrencePatch struct {
	RRule    optional[string] `json:"rrule,omitempty" maxLength:"500" doc:"RFC 5545 RRULE value, DAILY or coarser" example:"FREQ=WEEKLY;BYDAY=MO"`
	Basis    optional[string] `json:"basis,omitempty" enum:"due,completion"`
	MonthEnd optional[string] `json:"month_end,omitempty" enum:"clamp,skip"`
	DSTGap   optional[string] `json:"dst_gap,omitempty" enum:"forward,skip"`
	Missed   optional[string] `json:"missed,omitempty" enum:"collapse,all"`
	Anchor   optional[string] `json:"anchor,omitempty" readOnly:"true" maxLength:"19" doc:"Answered, and ignored in a request"`
}

// over is the recurrence that the patch makes of was, which may be nil.
func (p RecurrencePatch) over(was *event.Recurrence) *RecurrenceInput {
	if was == nil {
		was = &event.Recurrence{}
	}
	return &RecurrenceInput{
		RRule: p.RRule.or(was.RRule), Basis: p.Basis.or(was.Basis), MonthEnd: p.MonthEnd.or(was.MonthEnd),
		DSTGap: p.DSTGap.or(was.DSTGap), Missed: p.Missed.or(was.Missed),
	}
}

// apply puts a whole task over t, as PUT and POST mean it.
func (in Input) apply(t *Task, zone string, now time.Time) error {
	var p problems
	t.Title, t.Description = in.Title, in.Description
	t.Priority, t.Tags = priorityOf(in.Priority), tags(in.Tags)
	t.DueAt, t.AllDay, t.ParentID = in.DueAt, in.AllDay, in.ParentID
	t.Timezone = in.Timezone
	if t.Timezone == "" {
		t.Timezone = zone
	}
	t.Recurrence = recurrenceOf(in.Recurrence, t.Recurrence)
	p.reminders(t, in.Reminders)
	t.complete(in.IsComplete, now)
	p.normalize(t)
	if len(p) == 0 {
		p.needsDue(t, in.Reminders, in.Recurrence != nil)
	}
	return p.err()
}

// apply puts a merge patch over t: absent keeps, null clears.
func (in PatchInput) apply(t *Task, zone string, now time.Time) error {
	var p problems
	if in.Title.Null {
		p.add("body.title", "can not be cleared")
	}
	t.Title, t.Description = in.Title.or(t.Title), in.Description.or(t.Description)
	if in.Priority.Present {
		t.Priority = priorityOf(in.Priority.Value)
	}
	if in.Tags.Present {
		t.Tags = tags(in.Tags.Value)
	}
	if in.DueAt.Present {
		t.DueAt = value(in.DueAt)
	} else if err := t.showDue(in.AllDay.or(t.AllDay)); err != nil {
		return err
	}
	t.AllDay = in.AllDay.or(t.AllDay)
	if t.Timezone = in.Timezone.or(t.Timezone); t.Timezone == "" {
		t.Timezone = zone
	}
	if in.ParentID.Present {
		t.ParentID = value(in.ParentID)
	}
	switch {
	case in.Recurrence.Null:
		t.Recurrence = nil
	case in.Recurrence.Present:
		t.Recurrence = recurrenceOf(in.Recurrence.Value.over(t.Recurrence), t.Recurrence)
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

func value[T any](o optional[T]) *T {
	if o.Null {
		return nil
	}
	return &o.Value
}

func recurrenceOf(in *RecurrenceInput, was *event.Recurrence) *event.Recurrence {
	if in == nil {
		return nil
	}
	r := &event.Recurrence{RRule: in.RRule, Basis: in.Basis, MonthEnd: in.MonthEnd, DSTGap: in.DSTGap, Missed: in.Missed}
	for field, fallback := range map[*string]string{
		&r.Basis: recurrence.BasisDue, &r.MonthEnd: recurrence.MonthEndClamp,
		&r.DSTGap: recurrence.DSTGapForward, &r.Missed: recurrence.MissedCollapse,
	} {
		if *field == "" {
			*field = fallback
		}
	}
	if was != nil {
		r.Anchor = was.Anchor
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

// problems collects what is wrong with a request, so that it is said at once.
type problems []httpapi.FieldError

func (p *problems) add(location, message string) {
	*p = append(*p, httpapi.FieldError{Location: location, Message: message})
}

func (p *problems) addErr(location string, err error) {
	message := err.Error()
	var field *recurrence.FieldError
	if errors.As(err, &field) {
		message = field.Message
	}
	p.add(location, message)
}

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return httpapi.NewProblem(422, "validation failed", p...)
}

func (p *problems) moment(location string, t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	if !httpapi.StorableTime(*t) {
		p.add(location, httpapi.TimeRange)
		return nil
	}
	// Postgres stores microseconds; what is answered now must be what is read later.
	u := t.UTC().Truncate(time.Microsecond)
	return &u
}

// normalize brings t into the form it is stored in and collects what can not be.
func (p *problems) normalize(t *Task) {
	if strings.TrimSpace(t.Title) == "" {
		p.add("body.title", "must not be blank")
	}
	for _, tag := range t.Tags {
		if n := utf8.RuneCountInString(tag); strings.TrimSpace(tag) == "" || n > maxTag {
			p.add("body.tags", "each must have 1 to 50 characters and not be blank")
			break
		}
	}
	if _, err := recurrence.Location(t.Timezone); err != nil {
		p.addErr("body.timezone", err)
		return
	}
	written := t.DueAt
	if t.DueAt = p.moment("body.due_at", t.DueAt); t.DueAt == nil || !t.AllDay {
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
		p.addErr("body.due_at", err)
	}
}

// needsDue refuses what the request itself sets to count from a due time that is not there.
func (p *problems) needsDue(t *Task, reminders []ReminderInput, recurrence bool) {
	if t.DueAt != nil {
		return
	}
	if recurrence {
		p.add("body.recurrence", "needs a due_at to count from")
	}
	for _, r := range reminders {
		if r.BeforeDue != "" {
			p.add("body.reminders", "before_due needs a due_at to count from")
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
