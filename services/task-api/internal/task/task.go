// Package task keeps the tasks: what a user may want of one, what is stored, the
// events that tell of each change, and the occurrences of recurring tasks.
package task

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// Limits of a task, which the doors say in their own way. Lengths count characters.
const (
	maxTitle          = 200
	maxDescription    = 20000
	maxTags           = 20
	maxTag            = 50
	maxReminders      = 20  // of a member
	maxRemindersOfAll = 100 // of all: an event has them all
	maxSubtasks       = 200
)

// The fields of a task: as they are stored, as a user wants them, whole (Draft) or in
// part (Patch), and as events show them. Whoever adds one finds them all in this file.

// Task is a task as it is stored.
type Task struct {
	bun.BaseModel `bun:"table:task.tasks,alias:t"`

	ID          uuid.UUID         `bun:"id,pk"`
	UserID      uuid.UUID         `bun:"user_id"`
	Title       string            `bun:"title"`
	Description string            `bun:"description"`
	IsComplete  bool              `bun:"is_complete"`
	Priority    priority          `bun:"priority"`
	Tags        []string          `bun:"tags,array"`
	DueAt       *time.Time        `bun:"due_at"`
	AllDay      bool              `bun:"all_day"`
	Timezone    string            `bun:"timezone"`
	Recurrence  *event.Recurrence `bun:"recurrence,type:jsonb"`
	ListID      uuid.UUID         `bun:"list_id"`
	Position    int64             `bun:"position"`
	AssigneeID  *uuid.UUID        `bun:"assignee_id"`
	ParentID    *uuid.UUID        `bun:"parent_id"`
	SeriesID    *uuid.UUID        `bun:"series_id"`
	Occurrence  *string           `bun:"occurrence"`
	FollowsID   *uuid.UUID        `bun:"follows_id"`
	Followed    bool              `bun:"followed"`
	// PristineVersion is the version that a series has made, until a user changes it.
	PristineVersion *int64     `bun:"pristine_version"`
	CompletedAt     *time.Time `bun:"completed_at"`
	Version         int64      `bun:"version"`
	CreatedAt       time.Time  `bun:"created_at"`
	UpdatedAt       time.Time  `bun:"updated_at"`
	// SearchVersion is what the task is indexed as; see index.go.
	SearchVersion *int64 `bun:"search_version"`
	// DueWall is DueAt as it is meant; see wall.go.
	DueWall string `bun:"due_wall,nullzero"`

	Reminders []Reminder  `bun:"reminders,type:jsonb,scanonly"` // see store.go
	Role      access.Role `bun:"role,scanonly"`                 // the actor's, in the list; see store.go

	// reminded is until when a task has reminded that was taken back and comes again.
	reminded *time.Time
}

// Reminder is a reminder as it is stored; see the migration for its fields.
type Reminder struct {
	bun.BaseModel `bun:"table:task.reminders,alias:r" json:"-"`

	ID        uuid.UUID  `bun:"id,pk" json:"id"`
	TaskID    uuid.UUID  `bun:"task_id" json:"task_id"`
	UserID    uuid.UUID  `bun:"user_id,nullzero" json:"user_id"` // see Of
	Ordinal   int        `bun:"ordinal" json:"ordinal"`
	At        *time.Time `bun:"at" json:"at"`
	BeforeDue *string    `bun:"before_due" json:"before_due"`
	RemindAt  *time.Time `bun:"remind_at" json:"remind_at"`
	Armed     bool       `bun:"armed" json:"armed"`
	FiredFor  *time.Time `bun:"fired_for" json:"fired_for"`
	PassedFor *time.Time `bun:"passed_for" json:"passed_for"`
	// TraceParent is of the request that set or moved it.
	TraceParent string `bun:"trace_parent" json:"trace_parent"`
	// AtWall is At as it is meant; see wall.go.
	AtWall string `bun:"at_wall,nullzero" json:"at_wall"`
}

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
	AssigneeID  *uuid.UUID
	ListID      *uuid.UUID // nil: that of the parent, else the actor's inbox; of a task that is there, its own
	ParentID    *uuid.UUID
}

// ReminderDraft is a reminder as its user wants it: either At or BeforeDue. With
// the ID of one that the task has, it stays that one.
type ReminderDraft struct {
	ID        *uuid.UUID
	UserID    *uuid.UUID // of another member: left as it is
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
	AssigneeID  Optional[uuid.UUID]
	ListID      Optional[uuid.UUID]
	ParentID    Optional[uuid.UUID]
}

// priority is stored as a number, so that it sorts.
type priority int16

func (p priority) String() string { return event.Priorities[p] }

func priorityOf(name string) priority {
	return priority(max(0, slices.Index(event.Priorities, name)))
}

// onTheWire is the task as events show it.
func (t *Task) onTheWire() event.Task {
	out := event.Task{
		ID: t.ID, UserID: t.UserID, Title: t.Title, Description: t.Description, IsComplete: t.IsComplete,
		Priority: t.Priority.String(), Tags: t.Tags, DueAt: UTC(t.DueAt), AllDay: t.AllDay, Timezone: t.Timezone,
		Reminders: make([]event.Reminder, len(t.Reminders)), Recurrence: t.Recurrence, ListID: t.ListID, Position: t.Position, AssigneeID: t.AssigneeID, ParentID: t.ParentID,
		SeriesID: t.SeriesID, Occurrence: t.Occurrence, CompletedAt: UTC(t.CompletedAt), Version: t.Version,
		CreatedAt: t.CreatedAt.UTC(), UpdatedAt: t.UpdatedAt.UTC(),
	}
	if out.Tags == nil {
		out.Tags = []string{}
	}
	for i, r := range t.Reminders {
		out.Reminders[i] = event.Reminder{ID: r.ID, UserID: r.Of(t), At: UTC(r.At)}
		if r.BeforeDue != nil {
			out.Reminders[i].BeforeDue = *r.BeforeDue
		}
	}
	return out
}

// answered is a task as it was when it was put on the wire.
func answered(was event.Task) *Task {
	t := &Task{
		ID: was.ID, UserID: was.UserID, Title: was.Title, Description: was.Description, IsComplete: was.IsComplete,
		Priority: priorityOf(was.Priority), Tags: was.Tags, DueAt: was.DueAt, AllDay: was.AllDay, Timezone: was.Timezone,
		Reminders: make([]Reminder, len(was.Reminders)), Recurrence: was.Recurrence, ListID: was.ListID, Position: was.Position, AssigneeID: was.AssigneeID, ParentID: was.ParentID,
		SeriesID: was.SeriesID, Occurrence: was.Occurrence, CompletedAt: was.CompletedAt, Version: was.Version,
		CreatedAt: was.CreatedAt, UpdatedAt: was.UpdatedAt,
	}
	if t.ListID == uuid.Nil { // kept by a version that knew no lists
		t.ListID, t.Position = access.Inbox(t.UserID), t.CreatedAt.UnixMicro()
	}
	for i, r := range was.Reminders {
		t.Reminders[i] = Reminder{ID: r.ID, UserID: r.UserID, At: r.At}
		if r.BeforeDue != "" {
			t.Reminders[i].BeforeDue = &r.BeforeDue
		}
	}
	return t
}

// asking is who asks for a change, and when. Zone is asked for a task that names none.
type asking struct {
	user uuid.UUID
	zone func() (string, error)
	now  time.Time
}

func askingIn(ctx context.Context, tx *change.Tx) asking {
	return asking{user: tx.Actor.UserID, zone: func() (string, error) { return tx.Zone(ctx) }, now: tx.Now}
}

// apply makes t what the draft says.
func (d Draft) apply(t *Task, by asking) (err error) {
	var p problems
	t.Title, t.Description = d.Title, d.Description
	t.Priority, t.Tags = priorityOf(d.Priority), tags(d.Tags)
	if t.AllDay && d.AllDay && d.DueAt != nil && equalTime(d.DueAt, t.DueAt) {
		// The date that it has, sent back as it was read: it stays one in another zone.
		if err := t.showDue(true); err != nil {
			return err
		}
		d.DueAt = t.DueAt
	}
	t.DueAt, t.AllDay, t.ParentID, t.AssigneeID = d.DueAt, d.AllDay, d.ParentID, d.AssigneeID
	if d.ListID != nil && *d.ListID == uuid.Nil {
		p.add("list_id", noList)
	} else if d.ListID != nil {
		t.ListID = *d.ListID
	}
	if t.Timezone = d.Timezone; t.Timezone == "" {
		if t.Timezone, err = by.zone(); err != nil {
			return err
		}
	}
	had := t.Recurrence
	t.Recurrence = d.Recurrence.with(had)
	p.reminders(t, by.user, d.Reminders)
	t.complete(d.IsComplete, by.now)
	p.normalize(t)
	if len(p) == 0 {
		p.needsDue(t, d.Reminders, t.Recurrence != nil && anotherRule(had, t.Recurrence))
	}
	return p.err()
}

// apply changes of t what the patch names.
func (in Patch) apply(t *Task, by asking) (err error) {
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
		if t.Timezone, err = by.zone(); err != nil {
			return err
		}
	}
	if in.AssigneeID.Present {
		t.AssigneeID = in.AssigneeID.pointer()
	}
	if in.ListID.Null {
		p.add("list_id", "can not be cleared")
	}
	if in.ListID.Present && !in.ListID.Null && in.ListID.Value == uuid.Nil {
		p.add("list_id", noList)
	} else if !in.ListID.Null {
		t.ListID = in.ListID.or(t.ListID)
	}
	if in.ParentID.Present {
		t.ParentID = in.ParentID.pointer()
	}
	had := t.Recurrence
	switch {
	case in.Recurrence.Null:
		t.Recurrence = nil
	case in.Recurrence.Present:
		t.Recurrence = in.Recurrence.Value.over(t.Recurrence).with(t.Recurrence)
	}
	if in.Reminders.Present {
		p.reminders(t, by.user, in.Reminders.Value)
	}
	t.complete(in.IsComplete.or(t.IsComplete), by.now)
	p.normalize(t)
	if len(p) == 0 {
		// {"due_at": null} clears only that: reminders that count from it rest until
		// there is a due time again, and the series goes on from what the task stands for.
		p.needsDue(t, in.Reminders.Value, t.Recurrence != nil && anotherRule(had, t.Recurrence))
	}
	return p.err()
}

// pristine says whether nobody has touched the task since its series made it.
func (t *Task) pristine() bool {
	if t.PristineVersion == nil { // of the version before, or its user's own
		return t.FollowsID != nil && t.UpdatedAt.Equal(t.CreatedAt)
	}
	return *t.PristineVersion == t.Version
}

// madeBySeries notes that a version of the task is its series' work.
func (t *Task) madeBySeries(version int64) { t.PristineVersion = &version }

// carriedOn notes that what is new in a version is nobody's edit: where the task was as its
// series made it, it still is. Where nothing but its checklist was changed (see touchParent)
// that stays known, too.
func (t *Task) carriedOn(version int64) {
	switch made := t.PristineVersion; {
	case t.pristine():
		t.madeBySeries(version)
	case made != nil && *made == -t.Version:
		t.madeBySeries(-version)
	}
}

// clone copies the task deep enough that changing one leaves the other.
func (t *Task) clone() *Task {
	c := *t
	c.Tags = slices.Clone(t.Tags)
	c.Reminders = slices.Clone(t.Reminders)
	if t.Recurrence != nil {
		r := *t.Recurrence
		c.Recurrence = &r
	}
	return &c
}

// UTC is a time as it is shown, or none.
func UTC(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
