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

// TaskReplacement is TaskInput for PUT, which also takes what GET answered: the
// fields that only the server sets are ignored.
type TaskReplacement struct {
	TaskInput
	ID          any `json:"id,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	UserID      any `json:"user_id,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	SeriesID    any `json:"series_id,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	Occurrence  any `json:"occurrence,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	CompletedAt any `json:"completed_at,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	Version     any `json:"version,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	CreatedAt   any `json:"created_at,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	UpdatedAt   any `json:"updated_at,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
}

// TaskPatch is a JSON merge patch of a task.
type TaskPatch struct {
	Title       optional[string]            `json:"title,omitempty" minLength:"1" maxLength:"200" nullable:"false" doc:"What is to be done"`
	Description optional[string]            `json:"description,omitempty" maxLength:"20000" doc:"More about it"`
	IsComplete  optional[bool]              `json:"is_complete,omitempty" doc:"Whether it is done"`
	Priority    optional[string]            `json:"priority,omitempty" enum:"none,low,medium,high,urgent" doc:"How much it matters"`
	Tags        optional[[]string]          `json:"tags,omitempty" maxItems:"20" minLength:"1" maxLength:"50" doc:"Words to find it by"`
	DueAt       optional[httpapi.Timestamp] `json:"due_at,omitempty" doc:"When it is due"`
	AllDay      optional[bool]              `json:"all_day,omitempty" doc:"Due on a date, not at a time"`
	Timezone    optional[string]            `json:"timezone,omitempty" maxLength:"64" doc:"IANA time zone that the due time is meant in"`
	Reminders   optional[[]ReminderInput]   `json:"reminders,omitempty" maxItems:"20" doc:"When you want to be reminded"`
	Recurrence  optional[RecurrencePatch]   `json:"recurrence,omitempty" doc:"How it comes back; null ends that"`
	ParentID    optional[uuid.UUID]         `json:"parent_id,omitempty" format:"uuid" doc:"The task that it is a subtask of"`
}

// RecurrencePatch is a merge patch of a recurrence.
type RecurrencePatch struct {
	RRule    optional[string] `json:"rrule,omitempty" maxLength:"500" doc:"RFC 5545 RRULE value, DAILY or coarser"`
	Basis    optional[string] `json:"basis,omitempty" enum:"due,completion" doc:"What the next date counts from"`
	MonthEnd optional[string] `json:"month_end,omitempty" enum:"clamp,skip" doc:"Where the month lacks the day: its last one, or none"`
	DSTGap   optional[string] `json:"dst_gap,omitempty" enum:"forward,skip" doc:"Where the clock jumps over the time: moved on by the gap, or none"`
	Missed   optional[string] `json:"missed,omitempty" enum:"collapse,all" doc:"Of dates that pass while a task is open: the next one to come, or all, one after another"`
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

func (in TaskPatch) patch() task.Patch {
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
	Body TaskReplacement
},
) (*taskOutput, error) {
	return answer(a.Store.Replace(ctx, actor, in.ID, versions(in.IfMatch), in.Body.draft(), task.Scope(in.Scope)))
}

func (a *Tasks) patch(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	ScopeInput
	Body TaskPatch `contentType:"application/merge-patch+json"`
},
) (*taskOutput, error) {
	return answer(a.Store.Patch(ctx, actor, in.ID, versions(in.IfMatch), in.Body.patch(), task.Scope(in.Scope)))
}
