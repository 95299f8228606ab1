package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

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
	Title       optional[string]            `json:"title,omitempty" minLength:"1" maxLength:"200" nullable:"false"`
	Description optional[string]            `json:"description,omitempty" maxLength:"20000"`
	IsComplete  optional[bool]              `json:"is_complete,omitempty"`
	Priority    optional[string]            `json:"priority,omitempty" enum:"none,low,medium,high,urgent"`
	Tags        optional[[]string]          `json:"tags,omitempty" maxItems:"20" minLength:"1" maxLength:"50"`
	DueAt       optional[httpapi.Timestamp] `json:"due_at,omitempty"`
	AllDay      optional[bool]              `json:"all_day,omitempty"`
	Timezone    optional[string]            `json:"timezone,omitempty" maxLength:"64"`
	Reminders   optional[[]ReminderInput]   `json:"reminders,omitempty" maxItems:"20"`
	Recurrence  optional[RecurrencePatch]   `json:"recurrence,omitempty"`
	ParentID    optional[uuid.UUID]         `json:"parent_id,omitempty" format:"uuid"`
}

// RecurrencePatch is a merge patch of a recurrence.
type RecurrencePatch struct {
	RRule    optional[string] `json:"rrule,omitempty" maxLength:"500" doc:"RFC 5545 RRULE value, DAILY or coarser" example:"FREQ=WEEKLY;BYDAY=MO"`
	Basis    optional[string] `json:"basis,omitempty" enum:"due,completion"`
	MonthEnd optional[string] `json:"month_end,omitempty" enum:"clamp,skip"`
	DSTGap   optional[string] `json:"dst_gap,omitempty" enum:"forward,skip"`
	Missed   optional[string] `json:"missed,omitempty" enum:"collapse,all"`
	Anchor   optional[string] `json:"anchor,omitempty" readOnly:"true" maxLength:"19" doc:"Answered, and ignored in a request"`
	Ordinal  optional[int]    `json:"ordinal,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
}

// optional is a member of a JSON merge patch (RFC 7396).
type optional[T any] struct{ task.Optional[T] }

// UnmarshalJSON is called only when the member is there.
func (o *optional[T]) UnmarshalJSON(raw []byte) error {
	o.Present = true
	if bytes.Equal(raw, []byte("null")) {
		o.Null = true
		return nil
	}
	return json.Unmarshal(raw, &o.Value)
}

// Schema describes the value, or null.
func (o optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := r.Schema(reflect.TypeFor[T](), true, reflect.TypeFor[T]().Name())
	if s.Ref != "" {
		// A reference can not be nullable by itself, and null passes the
		// validation of a member that is not required.
		return s
	}
	nullable := *s
	nullable.Nullable = true
	return &nullable
}

// ScopeInput says how far an edit of a recurring task goes.
type ScopeInput struct {
	Scope string `query:"scope" enum:"this,following" default:"this" doc:"Of a recurring task: whether a new due time is that of this occurrence, or that which the series goes on from"`
}

func (in PatchInput) patch() task.Patch {
	r := in.Recurrence.Value
	return task.Patch{
		Title: in.Title.Optional, Description: in.Description.Optional, IsComplete: in.IsComplete.Optional,
		Priority: in.Priority.Optional, Tags: in.Tags.Optional, DueAt: task.Optional[time.Time]{Present: in.DueAt.Present, Null: in.DueAt.Null, Value: in.DueAt.Value.Time}, AllDay: in.AllDay.Optional,
		Timezone: in.Timezone.Optional, ParentID: in.ParentID.Optional,
		Reminders: task.Optional[[]task.ReminderDraft]{
			Present: in.Reminders.Present, Null: in.Reminders.Null, Value: reminderDrafts(in.Reminders.Value),
		},
		Recurrence: task.Optional[task.RecurrencePatch]{
			Present: in.Recurrence.Present, Null: in.Recurrence.Null, Value: task.RecurrencePatch{
				RRule: r.RRule.Optional, Basis: r.Basis.Optional, MonthEnd: r.MonthEnd.Optional, DSTGap: r.DSTGap.Optional, Missed: r.Missed.Optional,
			},
		},
	}
}

func (a *Tasks) replace(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	ScopeInput
	Body ReplaceInput
},
) (*taskOutput, error) {
	return answer(a.Store.Replace(ctx, actor, in.ID, versions(in.IfMatch), in.Body.draft(), task.Scope(in.Scope)))
}

func (a *Tasks) patch(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	ScopeInput
	Body PatchInput `contentType:"application/merge-patch+json"`
},
) (*taskOutput, error) {
	return answer(a.Store.Patch(ctx, actor, in.ID, versions(in.IfMatch), in.Body.patch(), task.Scope(in.Scope)))
}
