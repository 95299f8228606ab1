package rest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// ReminderInput is a reminder as a request says it.
type ReminderInput struct {
	ID        *uuid.UUID         `json:"id,omitempty" format:"uuid" doc:"Of a reminder that the task has already, to keep it"`
	UserID    *uuid.UUID         `json:"user_id,omitempty" readOnly:"true" format:"uuid" doc:"Answered. A reminder of somebody else is left as it is"`
	At        *httpapi.Timestamp `json:"at,omitempty" doc:"At this moment. Of several that are past when they are set, only the latest is delivered"`
	BeforeDue string             `json:"before_due,omitempty" maxLength:"40" doc:"This long before the task is due: an ISO 8601 duration such as PT15M or P1D"`
}

// RecurrenceInput is a recurrence as a request says it.
type RecurrenceInput struct {
	RRule    string `json:"rrule" maxLength:"500" doc:"RFC 5545 RRULE value, DAILY or coarser"`
	Basis    string `json:"basis,omitempty" enum:"due,completion" default:"due" doc:"What the next date counts from"`
	MonthEnd string `json:"month_end,omitempty" enum:"clamp,skip" default:"clamp" doc:"Where the month lacks the day: its last one, or none"`
	DSTGap   string `json:"dst_gap,omitempty" enum:"forward,skip" default:"forward" doc:"Where the clock jumps over the time: moved on by the gap, or none"`
	Missed   string `json:"missed,omitempty" enum:"collapse,all" default:"collapse" doc:"Of dates that pass while a task is open: the next one to come, or all, one after another"`
	Anchor   string `json:"anchor,omitempty" readOnly:"true" maxLength:"19" doc:"Answered, and ignored in a request"`
	Ordinal  int    `json:"ordinal,omitempty" readOnly:"true" doc:"Answered, and ignored in a request"`
}

type createdOutput struct {
	Status   int
	ETag     string `header:"ETag" doc:"The version, for If-Match and If-None-Match"`
	Location string `header:"Location" doc:"Where the task is"`
	Body     *Task
}

func (a *Tasks) create(ctx context.Context, actor access.Actor, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day creates nothing and answers the same"`
	Body TaskInput
},
) (*createdOutput, error) {
	key, err := keyOf(in.Key, "", in.Body)
	if err != nil {
		return nil, err
	}
	out, err := answer(a.Store.Create(ctx, actor, in.Body.draft(), key))
	if err != nil {
		return nil, err
	}
	return &createdOutput{Status: http.StatusCreated, ETag: out.ETag, Location: "/api/tasks/" + out.Body.ID.String(), Body: out.Body}, nil
}

// keyOf is an Idempotency-Key with what it is for, a body of some kind; nil for none.
func keyOf(key, kind string, body any) (*change.Key, error) {
	if key == "" {
		return nil, nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(append([]byte(kind), raw...))
	return &change.Key{Key: key, Hash: sum[:]}, nil
}

func reminderDrafts(in []ReminderInput) []task.ReminderDraft {
	out := make([]task.ReminderDraft, len(in))
	for i, r := range in {
		out[i] = task.ReminderDraft{ID: r.ID, UserID: r.UserID, At: r.At.Pointer(), BeforeDue: r.BeforeDue}
	}
	return out
}
