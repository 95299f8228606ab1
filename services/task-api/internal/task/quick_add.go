package task

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
	"github.com/taskwire/taskwire/services/task-api/internal/quickadd"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Text is a task in words; see package quickadd.
type Text struct {
	ID         *uuid.UUID // chosen by the client; nil: a new one
	Text       string
	CapturedAt *time.Time // what relative words count from; nil: now
	Timezone   string     // "": the user's
	ListID     *uuid.UUID // where the text names none; nil: the inbox
	DueOn      *time.Time // the date, at midnight UTC, where the text says none; nil: not due
}

// QuickAdd adds the task that a text describes, and says what was understood of it. With a
// key it does so once: a repetition answers what the first answered. So it does with an id,
// for ever, and answers the task as it is then.
func (s *Store) QuickAdd(ctx context.Context, actor access.Actor, text Text, key *change.Key) (t *Task, spans []quickadd.Span, err error) {
	id := uuid.Must(uuid.NewV7())
	if text.ID != nil {
		id = *text.ID
	}
	if err := checkChosen(id); err != nil {
		return nil, nil, err
	}
	err = twice(func() error {
		return s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
			var kept struct {
				Task  event.Task      `json:"task"`
				Spans []quickadd.Span `json:"spans"`
			}
			if key != nil {
				if was, err := key.Claim(ctx, tx, &kept); err != nil || was {
					t, spans = answered(kept.Task), kept.Spans
					return err
				}
			}
			var draft Draft
			var err error
			if draft, spans, err = text.understand(ctx, tx); err != nil {
				return err
			}
			if t = nil; text.ID != nil {
				if t, err = chosen(ctx, tx, id); err != nil {
					return err
				}
			}
			if t == nil {
				if t, err = create(ctx, tx, id, draft); err != nil {
					return text.asFieldOfText(err)
				}
			}
			if key != nil {
				kept.Task, kept.Spans = t.onTheWire(), spans
				return key.Keep(tx, kept)
			}
			return nil
		})
	})
	return t, spans, err
}

// Understand says what QuickAdd would add, and writes nothing.
func (s *Store) Understand(ctx context.Context, actor access.Actor, text Text) (draft Draft, spans []quickadd.Span, err error) {
	err = s.Changes.Do(ctx, actor, func(ctx context.Context, tx *change.Tx) error {
		var err error
		if draft, spans, err = text.understand(ctx, tx); err != nil {
			return err
		}
		return text.asFieldOfText(draft.apply(&Task{UserID: tx.Actor.UserID}, askingIn(ctx, tx)))
	})
	return draft, spans, err
}

func (in Text) understand(ctx context.Context, tx *change.Tx) (draft Draft, spans []quickadd.Span, err error) {
	zone, now := in.Timezone, tx.Now
	if zone == "" {
		if zone, err = tx.Zone(ctx); err != nil {
			return Draft{}, nil, err
		}
	}
	if in.CapturedAt != nil {
		now = *in.CapturedAt
	}
	var lists []quickadd.List
	if strings.Contains(in.Text, "#") {
		if lists, err = listsToNameIn(ctx, tx); err != nil {
			return Draft{}, nil, err
		}
	}
	u, err := quickadd.Parse(in.Text, now, zone, lists)
	var wrong *recurrence.FieldError
	if errors.As(err, &wrong) {
		return Draft{}, nil, refuse.Part(wrong.Field, wrong.Message)
	}
	if err != nil {
		return Draft{}, nil, fmt.Errorf("parse the text: %w", err)
	}
	draft = Draft{Title: u.Title, Priority: u.Priority, Tags: u.Tags, DueAt: u.DueAt, AllDay: u.AllDay, Timezone: zone, ListID: u.ListID}
	if draft.ListID == nil {
		draft.ListID = in.ListID
	}
	if draft.DueAt == nil && in.DueOn != nil {
		draft.DueAt, draft.AllDay = in.DueOn, true
	}
	for _, before := range u.Reminders {
		draft.Reminders = append(draft.Reminders, ReminderDraft{BeforeDue: before})
	}
	if r := u.Recurrence; r != nil {
		draft.Recurrence = &RecurrenceDraft{RRule: r.RRule, Basis: r.Basis}
	}
	return draft, u.Spans, nil
}

// mostNamed bounds how many lists of a user a text can name: the first in his order.
const mostNamed = 1000

// listsToNameIn are the lists that the actor may add a task to, but for archived ones.
func listsToNameIn(ctx context.Context, tx *change.Tx) ([]quickadd.List, error) {
	mine := tx.Actor.Memberships()
	var rows []struct {
		ID   uuid.UUID   `bun:"id"`
		Name string      `bun:"name"`
		Role access.Role `bun:"role"`
	}
	err := tx.NewRaw("SELECT l.id, l.name, m.role FROM task.members m JOIN task.lists l ON l.id = m.list_id WHERE "+mine.SQL+" AND NOT l.is_archived ORDER BY m.position, m.list_id LIMIT ?",
		append(mine.Args, mostNamed)...).Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("read the lists that a text can name: %w", err)
	}
	lists := make([]quickadd.List, 0, len(rows))
	for _, l := range rows {
		if l.Role.Writes() {
			lists = append(lists, quickadd.List{ID: l.ID, Name: l.Name})
		}
	}
	return lists, nil
}

// asFieldOfText turns a refusal of parts of a task into one of the text that they came from.
func (in Text) asFieldOfText(err error) error {
	var no *refuse.Error
	if !errors.As(err, &no) || len(no.Fields) == 0 {
		return err
	}
	of := *no
	of.Fields = make([]refuse.Field, len(no.Fields))
	for i, f := range no.Fields {
		if f.Name == "list_id" && in.ListID != nil {
			of.Fields[i] = f
			continue
		}
		of.Fields[i] = refuse.Field{Name: "text", Message: f.Name + " " + f.Message}
	}
	return &of
}
