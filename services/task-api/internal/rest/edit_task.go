package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// TaskReplacement is TaskInput for PUT, which also takes what GET answered: the
// fields that only the server sets are ignored.
type TaskReplacement struct {
	TaskInput
	ID          any `json:"id,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	UserID      any `json:"user_id,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	Position    any `json:"position,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	SeriesID    any `json:"series_id,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	Occurrence  any `json:"occurrence,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	CompletedAt any `json:"completed_at,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	Version     any `json:"version,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	CreatedAt   any `json:"created_at,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
	UpdatedAt   any `json:"updated_at,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
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

func (a *Tasks) replace(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	ScopeInput
	IfNoneMatch string `header:"If-None-Match" maxLength:"1000" doc:"*: create the task with the id in the path. Of anything else nothing is made"`
	Body        TaskReplacement
},
) (*taskOutput, error) {
	if in.IfNoneMatch == "*" {
		t, created, err := a.Store.CreateAs(ctx, actor, in.ID, in.Body.draft())
		out, err := answer(t, err)
		if err == nil && created {
			out.Status = http.StatusCreated
		}
		return out, err
	}
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
