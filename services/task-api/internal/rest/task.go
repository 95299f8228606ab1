package rest

import (
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Task is a task as the API shows it.
type Task struct {
	ID          uuid.UUID   `json:"id"`
	UserID      uuid.UUID   `json:"user_id"`
	Title       string      `json:"title"`
	Description string      `json:"description"`
	IsComplete  bool        `json:"is_complete"`
	Priority    string      `json:"priority" enum:"none,low,medium,high,urgent"`
	Tags        []string    `json:"tags" nullable:"false"`
	DueAt       *time.Time  `json:"due_at" nullable:"true"`
	AllDay      bool        `json:"all_day"`
	Timezone    string      `json:"timezone" doc:"IANA time zone that the due time is meant in"`
	Reminders   []Reminder  `json:"reminders" nullable:"false"`
	Recurrence  *Recurrence `json:"recurrence"`
	ParentID    *uuid.UUID  `json:"parent_id"`
	SeriesID    *uuid.UUID  `json:"series_id" doc:"The series that a recurring task belongs to"`
	Occurrence  *string     `json:"occurrence" doc:"The wall-clock date and time of the series that this task stands for"`
	CompletedAt *time.Time  `json:"completed_at"`
	Version     int64       `json:"version" doc:"Counts the changes of the task, from 1"`
	CreatedAt   time.Time   `json:"created_at"`
	UpdatedAt   time.Time   `json:"updated_at"`
}

// Reminder is a moment at which the user wants to be told of a task: a fixed
// one (At), or one before the task is due (BeforeDue, an ISO 8601 duration).
type Reminder struct {
	ID        uuid.UUID  `json:"id"`
	At        *time.Time `json:"at,omitempty"`
	BeforeDue string     `json:"before_due,omitempty"`
}

// Recurrence says when a task comes back. Anchor is the wall time of the due
// date that the rule counts from, in the task's time zone.
type Recurrence struct {
	RRule    string `json:"rrule"`
	Basis    string `json:"basis"`
	MonthEnd string `json:"month_end"`
	DSTGap   string `json:"dst_gap"`
	Missed   string `json:"missed"`
	Anchor   string `json:"anchor" doc:"The wall time that the rule counts from"`
	Ordinal  int    `json:"ordinal,omitempty" doc:"The anchor's place in the series, from 1: COUNT counts from there"`
}

// shown is a task as the API shows it.
func shown(t *task.Task) Task {
	out := Task{
		ID: t.ID, UserID: t.UserID, Title: t.Title, Description: t.Description, IsComplete: t.IsComplete,
		Priority: t.Priority.String(), Tags: t.Tags, DueAt: utc(t.DueAt), AllDay: t.AllDay, Timezone: t.Timezone,
		Reminders: make([]Reminder, len(t.Reminders)), Recurrence: (*Recurrence)(t.Recurrence), ParentID: t.ParentID,
		SeriesID: t.SeriesID, Occurrence: t.Occurrence, CompletedAt: utc(t.CompletedAt), Version: t.Version,
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	for i, r := range t.Reminders {
		out.Reminders[i] = Reminder{ID: r.ID, At: utc(r.At)}
		if r.BeforeDue != nil {
			out.Reminders[i].BeforeDue = *r.BeforeDue
		}
	}
	return out
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
