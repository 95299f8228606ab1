// Package preview shows a rule's next dates before it is used.
package preview

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/recurrence"
)

type input struct {
	Body struct {
		RRule    string            `json:"rrule" maxLength:"500"`
		DueAt    httpapi.Timestamp `json:"due_at" doc:"The first due time, which the rule counts from"`
		Timezone string            `json:"timezone" maxLength:"64"`
		AllDay   bool              `json:"all_day,omitempty"`
		Basis    string            `json:"basis,omitempty" enum:"due,completion" default:"due"`
		MonthEnd string            `json:"month_end,omitempty" enum:"clamp,skip" default:"clamp"`
		DSTGap   string            `json:"dst_gap,omitempty" enum:"forward,skip" default:"forward"`
		Missed   string            `json:"missed,omitempty" enum:"collapse,all" default:"collapse"`
		Count    int               `json:"count,omitempty" minimum:"1" maximum:"100" default:"10"`
	}
}

type occurrence struct {
	Occurrence string    `json:"occurrence" doc:"The wall time that it stands for"`
	DueAt      time.Time `json:"due_at"`
	Note       string    `json:"note" doc:"Why it is not the plain date, if so"`
}

type output struct {
	Body struct {
		Occurrences []occurrence `json:"occurrences" nullable:"false"`
	}
}

// Mount adds the preview.
func Mount(api huma.API, failures httpapi.Failures) {
	httpapi.Register(api, failures, huma.Operation{
		OperationID: "preview-recurrence", Method: http.MethodPost, Path: "/api/recurrence/preview", Tags: []string{"Recurrence"},
		Summary: "The next dates of a rule, each with what explains it", Security: httpapi.Authenticated, Errors: []int{http.StatusUnauthorized},
	}, preview)
}

func preview(_ context.Context, in *input) (*output, error) {
	b := in.Body
	if !database.StorableTime(b.DueAt.Time) {
		return nil, httpapi.Invalid("body.due_at", database.TimeRange)
	}
	wall, err := recurrence.Written(b.DueAt.Time, b.Timezone, b.AllDay)
	if err != nil {
		return nil, problem(err)
	}
	rule := recurrence.Rule{
		RRule: b.RRule, Anchor: wall, Timezone: b.Timezone, AllDay: b.AllDay,
		Basis: b.Basis, MonthEnd: b.MonthEnd, DSTGap: b.DSTGap, Missed: b.Missed,
	}
	next, err := rule.Preview(b.Count)
	if err != nil {
		return nil, problem(err)
	}
	out := &output{}
	out.Body.Occurrences = make([]occurrence, len(next))
	for i, o := range next {
		out.Body.Occurrences[i] = occurrence{o.Wall, o.At.UTC(), o.Note}
	}
	return out, nil
}

func problem(err error) error {
	var field *recurrence.FieldError
	if !errors.As(err, &field) {
		return err
	}
	if field.Field == "anchor" {
		return httpapi.Invalid("body.due_at", field.Message)
	}
	return httpapi.Invalid("body."+field.Field, field.Message)
}
