// Package preview shows a rule's next dates before it is used.
package preview

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

// PreviewInput is a rule and what it counts from.
type PreviewInput struct {
	RRule    string            `json:"rrule" maxLength:"500" doc:"RFC 5545 RRULE value, DAILY or coarser"`
	DueAt    httpapi.Timestamp `json:"due_at" doc:"The first due time, which the rule counts from"`
	Timezone string            `json:"timezone" maxLength:"64" doc:"IANA time zone that the due time is meant in"`
	AllDay   bool              `json:"all_day,omitempty" doc:"Due on a date, not at a time"`
	Basis    string            `json:"basis,omitempty" enum:"due,completion" default:"due" doc:"What the next date counts from"`
	MonthEnd string            `json:"month_end,omitempty" enum:"clamp,skip" default:"clamp" doc:"Where the month lacks the day: its last one, or none"`
	DSTGap   string            `json:"dst_gap,omitempty" enum:"forward,skip" default:"forward" doc:"Where the clock jumps over the time: moved on by the gap, or none"`
	Missed   string            `json:"missed,omitempty" enum:"collapse,all" default:"collapse" doc:"Of dates that pass while a task is open: the next one to come, or all, one after another"`
	Count    int               `json:"count,omitempty" minimum:"1" maximum:"100" default:"10" doc:"How many dates"`

	Anchor     string `json:"anchor,omitempty" maxLength:"19" doc:"Of a series that goes on: the wall time that the rule counts from, rather than due_at"`
	Ordinal    int    `json:"ordinal,omitempty" minimum:"1" maximum:"10000" doc:"Of a series that goes on: its anchor's place, from 1; COUNT counts from there"`
	Occurrence string `json:"occurrence,omitempty" maxLength:"19" doc:"Of a series that goes on: the wall time after which the dates are; default: what the rule counts from"`
	Scope      string `json:"scope,omitempty" enum:"this,following" default:"this" doc:"Of a series that goes on: whether a due_at beside the occurrence is that of this one alone, or that which the series goes on from"`
}

// PreviewedOccurrence is one of the dates to come.
type PreviewedOccurrence struct {
	Occurrence string    `json:"occurrence" doc:"The wall time that it stands for"`
	DueAt      time.Time `json:"due_at" doc:"The moment that it is due"`
	Note       string    `json:"note" doc:"Why it is not the plain date, if so"`
}

// Preview is the dates to come.
type Preview struct {
	Occurrences []PreviewedOccurrence `json:"occurrences" nullable:"false" doc:"The dates, the earliest first"`
}

type input struct{ Body PreviewInput }

type output struct{ Body Preview }

var (
	exampleInput = PreviewInput{
		RRule: "FREQ=MONTHLY", DueAt: httpapi.Timestamp{Time: time.Date(2027, 1, 31, 8, 0, 0, 0, time.UTC)}, Timezone: "Europe/Berlin",
		Basis: recurrence.BasisDue, MonthEnd: recurrence.MonthEndClamp, DSTGap: recurrence.DSTGapForward, Missed: recurrence.MissedCollapse, Count: 2,
	}
	exampleAnswer = Preview{Occurrences: []PreviewedOccurrence{
		{Occurrence: "2027-02-28T09:00:00", DueAt: time.Date(2027, 2, 28, 8, 0, 0, 0, time.UTC), Note: "clamped to the month's last day"},
		{Occurrence: "2027-03-31T09:00:00", DueAt: time.Date(2027, 3, 31, 7, 0, 0, 0, time.UTC)},
	}}
)

// Mount adds the preview.
func Mount(api huma.API, failures httpapi.Failures) {
	httpapi.Register(api, failures, huma.Operation{
		OperationID: "preview-recurrence", Method: http.MethodPost, Path: "/api/recurrence/preview", Tags: []string{"Recurrence"},
		Summary:     "The next dates of a rule, each with what explains it",
		Description: "What completing each occurrence in time would lead to. Nothing is stored.", Security: httpapi.Authenticated, Extensions: httpapi.ForTokens(auth.TasksRead),
		Metadata: httpapi.Describe(exampleInput, exampleAnswer),
	}, preview)
}

func preview(_ context.Context, in *input) (*output, error) {
	b := in.Body
	if !database.StorableTime(b.DueAt.Time) {
		return nil, httpapi.Invalid("body.due_at", database.TimeRange)
	}
	wall, err := recurrence.Written(b.DueAt.Time, b.Timezone, b.AllDay)
	if err != nil {
		return nil, problem(err, false)
	}
	rule := recurrence.Rule{
		RRule: b.RRule, Anchor: cmp.Or(b.Anchor, wall), Timezone: b.Timezone, AllDay: b.AllDay,
		Basis: b.Basis, MonthEnd: b.MonthEnd, DSTGap: b.DSTGap, Missed: b.Missed, Ordinal: b.Ordinal,
	}
	next, err := follow(rule, wall, b)
	if err != nil {
		return nil, problem(err, b.Anchor != "")
	}
	out := &output{}
	out.Body.Occurrences = make([]PreviewedOccurrence, len(next))
	for i, o := range next {
		out.Body.Occurrences[i] = PreviewedOccurrence{o.Wall, o.At.UTC(), o.Note}
	}
	return out, nil
}

// follow says what follows, as an edit would have it: moved for the following ones, too, a
// series counts from its due time on, and has as many left as it had.
func follow(rule recurrence.Rule, wall string, b PreviewInput) ([]recurrence.Occurrence, error) {
	current := cmp.Or(b.Occurrence, rule.Anchor)
	if b.Scope != "following" || wall == current {
		return rule.PreviewAfter(current, b.Count)
	}
	if _, err := rule.PreviewAfter(current, 0); err != nil { // from how far away it would have to count
		return nil, err
	}
	var err error
	if rule.Anchor, rule.Ordinal, err = rule.AnchorAt(current, wall); err != nil {
		return nil, err
	}
	return rule.PreviewAfter(wall, b.Count)
}

// problem names the field that is wrong: the anchor is due_at, unless it was given.
func problem(err error, anchored bool) error {
	var field *recurrence.FieldError
	if !errors.As(err, &field) {
		return err
	}
	if field.Field == "anchor" && !anchored {
		return httpapi.Invalid("body.due_at", field.Message)
	}
	return httpapi.Invalid("body."+field.Field, field.Message)
}
