package rest

import (
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// The fields of a task, as the API shows them, and as requests say them: the whole
// task (TaskInput), or parts of it (TaskPatch).

// Task is a task as the API shows it.
type Task struct {
	ID          uuid.UUID   `json:"id" format:"uuid" doc:"The task"`
	UserID      uuid.UUID   `json:"user_id" format:"uuid" doc:"Whose it is"`
	Title       string      `json:"title" doc:"What is to be done"`
	Description string      `json:"description" doc:"More about it, in Markdown or plain text"`
	IsComplete  bool        `json:"is_complete" doc:"Whether it is done"`
	Priority    string      `json:"priority" enum:"none,low,medium,high,urgent" doc:"How much it matters"`
	Tags        []string    `json:"tags" nullable:"false" doc:"Words to find it by"`
	DueAt       *time.Time  `json:"due_at" nullable:"true" doc:"When it is due; of an all-day task the date as it is written, at midnight UTC"`
	AllDay      bool        `json:"all_day" doc:"Due on a date, not at a time"`
	Timezone    string      `json:"timezone" doc:"IANA time zone that the due time is meant in"`
	Reminders   []Reminder  `json:"reminders" nullable:"false" doc:"When you want to be reminded"`
	Recurrence  *Recurrence `json:"recurrence" doc:"How it comes back; null if it does not"`
	ListID      uuid.UUID   `json:"list_id" format:"uuid" doc:"The list that it is in"`
	Position    int64       `json:"position" doc:"Where it is in its list: the lower, the earlier"`
	AssigneeID  *uuid.UUID  `json:"assignee_id" nullable:"true" format:"uuid" doc:"The member of the list who is to do it"`
	ParentID    *uuid.UUID  `json:"parent_id" nullable:"true" format:"uuid" doc:"The task that it is a subtask of"`
	SeriesID    *uuid.UUID  `json:"series_id" nullable:"true" format:"uuid" doc:"The series that a recurring task belongs to"`
	Occurrence  *string     `json:"occurrence" nullable:"true" doc:"The wall-clock date and time of the series that this task stands for"`
	CompletedAt *time.Time  `json:"completed_at" nullable:"true" doc:"When it was done; null while it is open"`
	Version     int64       `json:"version" minimum:"1" doc:"Counts the changes of the task, from 1"`
	CreatedAt   time.Time   `json:"created_at" doc:"When it was created"`
	UpdatedAt   time.Time   `json:"updated_at" doc:"When it was last changed"`
}

// TaskInput is a whole task as a request says it. What is left out is empty.
type TaskInput struct {
	Title       string             `json:"title" minLength:"1" maxLength:"200" doc:"What is to be done"`
	Description string             `json:"description,omitempty" maxLength:"20000" doc:"More about it"`
	IsComplete  bool               `json:"is_complete,omitempty" doc:"Whether it is done"`
	Priority    string             `json:"priority,omitempty" enum:"none,low,medium,high,urgent" default:"none" doc:"How much it matters"`
	Tags        []string           `json:"tags,omitempty" maxItems:"20" minLength:"1" maxLength:"50" doc:"Words to find it by"`
	DueAt       *httpapi.Timestamp `json:"due_at,omitempty" nullable:"true" doc:"When it is due; of an all-day task the date as it is written counts"`
	AllDay      bool               `json:"all_day,omitempty" doc:"Due on a date, not at a time"`
	Timezone    string             `json:"timezone,omitempty" maxLength:"64" doc:"IANA time zone; default: yours"`
	Reminders   []ReminderInput    `json:"reminders,omitempty" maxItems:"20" doc:"When you want to be reminded"`
	Recurrence  *RecurrenceInput   `json:"recurrence,omitempty" doc:"How it comes back"`
	ListID      *uuid.UUID         `json:"list_id,omitempty" nullable:"true" format:"uuid" doc:"The list that it is in; default: that of its parent, else your inbox"`
	AssigneeID  *uuid.UUID         `json:"assignee_id,omitempty" nullable:"true" format:"uuid" doc:"The member of the list who is to do it"`
	ParentID    *uuid.UUID         `json:"parent_id,omitempty" nullable:"true" format:"uuid" doc:"The task that it is a subtask of"`
}

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
	ListID      optional[uuid.UUID]         `json:"list_id,omitempty" nullable:"false" format:"uuid" doc:"The list that it is in; in another one it goes to the end"`
	AssigneeID  optional[uuid.UUID]         `json:"assignee_id,omitempty" format:"uuid" doc:"The member of the list who is to do it; gets the reminders that count from the due time"`
	ParentID    optional[uuid.UUID]         `json:"parent_id,omitempty" format:"uuid" doc:"The task that it is a subtask of"`
}

// Reminder is a moment at which the user wants to be told of a task: a fixed
// one (At), or one before the task is due (BeforeDue, an ISO 8601 duration).
type Reminder struct {
	ID        uuid.UUID  `json:"id" format:"uuid" doc:"The reminder"`
	UserID    uuid.UUID  `json:"user_id" format:"uuid" doc:"Who is reminded: whoever set it"`
	At        *time.Time `json:"at,omitempty" doc:"At this moment"`
	BeforeDue string     `json:"before_due,omitempty" doc:"This long before the task is due: an ISO 8601 duration"`
}

// Recurrence says when a task comes back. Anchor is the wall time of the due
// date that the rule counts from, in the task's time zone.
type Recurrence struct {
	RRule    string `json:"rrule" doc:"RFC 5545 RRULE value"`
	Basis    string `json:"basis" enum:"due,completion" doc:"What the next date counts from"`
	MonthEnd string `json:"month_end" enum:"clamp,skip" doc:"Where the month lacks the day: its last one, or none"`
	DSTGap   string `json:"dst_gap" enum:"forward,skip" doc:"Where the clock jumps over the time: moved on by the gap, or none"`
	Missed   string `json:"missed" enum:"collapse,all" doc:"Of dates that pass while a task is open: the next one to come, or all, one after another"`
	Anchor   string `json:"anchor" doc:"The wall time that the rule counts from"`
	Ordinal  int    `json:"ordinal,omitempty" doc:"The anchor's place in the series, from 1: COUNT counts from there"`
}

// Shown is a task as the API shows it.
func Shown(t *task.Task) any { return shown(t) }

// shown is a task as the API shows it.
func shown(t *task.Task) Task {
	out := Task{
		ID: t.ID, UserID: t.UserID, Title: t.Title, Description: t.Description, IsComplete: t.IsComplete,
		Priority: t.Priority.String(), Tags: t.Tags, DueAt: task.UTC(t.DueAt), AllDay: t.AllDay, Timezone: t.Timezone,
		Reminders: make([]Reminder, len(t.Reminders)), Recurrence: (*Recurrence)(t.Recurrence), ListID: t.ListID, Position: t.Position, AssigneeID: t.AssigneeID, ParentID: t.ParentID,
		SeriesID: t.SeriesID, Occurrence: t.Occurrence, CompletedAt: task.UTC(t.CompletedAt), Version: t.Version,
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	for i, r := range t.Reminders {
		out.Reminders[i] = Reminder{ID: r.ID, UserID: r.Of(t), At: task.UTC(r.At)}
		if r.BeforeDue != nil {
			out.Reminders[i].BeforeDue = *r.BeforeDue
		}
	}
	return out
}

func (in TaskInput) draft() task.Draft {
	d := task.Draft{
		Title: in.Title, Description: in.Description, IsComplete: in.IsComplete, Priority: in.Priority, Tags: in.Tags,
		DueAt: in.DueAt.Pointer(), AllDay: in.AllDay, Timezone: in.Timezone, Reminders: reminderDrafts(in.Reminders), ListID: in.ListID, AssigneeID: in.AssigneeID, ParentID: in.ParentID,
	}
	if r := in.Recurrence; r != nil {
		d.Recurrence = &task.RecurrenceDraft{RRule: r.RRule, Basis: r.Basis, MonthEnd: r.MonthEnd, DSTGap: r.DSTGap, Missed: r.Missed}
	}
	return d
}

func reminderDrafts(in []ReminderInput) []task.ReminderDraft {
	out := make([]task.ReminderDraft, len(in))
	for i, r := range in {
		out[i] = task.ReminderDraft{ID: r.ID, UserID: r.UserID, At: r.At.Pointer(), BeforeDue: r.BeforeDue}
	}
	return out
}

func (in TaskPatch) patch() task.Patch {
	r := in.Recurrence.Value
	return task.Patch{
		Title: in.Title.Optional, Description: in.Description.Optional, IsComplete: in.IsComplete.Optional,
		Priority: in.Priority.Optional, Tags: in.Tags.Optional, DueAt: task.Optional[time.Time]{Present: in.DueAt.Present, Null: in.DueAt.Null, Value: in.DueAt.Value.Time}, AllDay: in.AllDay.Optional,
		Timezone: in.Timezone.Optional, ListID: in.ListID.Optional, AssigneeID: in.AssigneeID.Optional, ParentID: in.ParentID.Optional,
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
