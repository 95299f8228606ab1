package task

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
)

// Query is what a list of tasks is narrowed and ordered by. A filter that is left out
// narrows nothing.
type Query struct {
	ListIDs      []uuid.UUID // any of these
	IsComplete   *bool
	Priorities   []string // any of these
	Tags         []string // all of these
	DueBefore    *time.Time
	DueAfter     *time.Time // or then
	Due          string     // overdue, today, tomorrow, week or none; open tasks alone
	Timezone     string     // in which Due counts days; "": the user's
	UpdatedAfter *time.Time // or then
	Assignee     *uuid.UUID
	TopLevel     bool // no subtasks
	ParentID     *uuid.UUID
	SeriesID     *uuid.UUID
	Text         string // in the title or the description
	Sort         string // a column, with - before it in the other direction
	Limit        int
	Cursor       string // of the place behind which the list begins
}

// List is a part of a list: one task more than its query's limit where there are
// more. CursorOf is the place of one of them.
type List struct {
	Tasks    []*Task
	CursorOf func(i int) any
}

// cursor is the place of the last item of a page: its sort value and id. The
// next page begins behind that place, whatever was added or removed since.
type cursor struct {
	Sort  string  `json:"s"`
	Value *string `json:"v"`
	// Key is the value in a list by title. A cursor without it is of a list by
	// the title itself, as it was before titles had keys.
	Key *[]byte   `json:"k,omitempty"`
	ID  uuid.UUID `json:"i"`
}

// listed is a row of a list.
type listed struct {
	Task

	TitleKey []byte `bun:"title_key"`
	// Found is how many tasks the list has, where gatherFew counted them.
	Found int `bun:"found"`
	// Cut is whether it is the last one that was looked at, and not the last one that there is.
	Cut bool `bun:"cut"`
}

// searchTime is how long a search may take. It looks through texts, and there are
// texts and words that no index and no method of looking is quick with.
const searchTime = 2 * time.Second

// List reads the actor's tasks. Beside those of the database its errors are
// page.ErrCursor and refusals, one of them Busy for a search that takes too long.
func (s *Store) List(ctx context.Context, actor access.Actor, q Query) (List, error) {
	l, err := s.listing(ctx, actor, q)
	if err != nil {
		return List{}, err
	}
	reading, cancel := ctx, context.CancelFunc(func() {})
	if l.folded != "" {
		reading, cancel = context.WithTimeout(ctx, searchTime)
	}
	defer cancel()
	// One more than asked for, to know whether there is a next page.
	rows, err := l.read(reading, q.Limit+1)
	if err != nil && ctx.Err() == nil && reading.Err() != nil {
		return List{}, refuse.Because(refuse.Busy, "the search took too long; search for a longer or a rarer text")
	}
	if err != nil {
		return List{}, fmt.Errorf("list the tasks: %w", err)
	}
	return List{tasksOf(rows), func(i int) any { return l.cursorOf(&rows[i]) }}, nil
}

func tasksOf(rows []listed) []*Task {
	found := make([]*Task, len(rows))
	for i := range rows {
		found[i] = &rows[i].Task
	}
	return found
}

// decode reads a cursor; nil when there is none.
func (l *listing) decode(text string) (*cursor, error) {
	if text == "" {
		return nil, nil
	}
	c := new(cursor)
	if err := page.DecodeCursor(text, c); err != nil {
		return nil, err
	}
	if c.Sort != l.sort || c.Key != nil && l.column != "title" {
		return nil, page.ErrCursor
	}
	switch {
	case c.Key != nil:
	case c.Value == nil:
		if l.column != "due_at" {
			return nil, page.ErrCursor
		}
	case l.column == "title":
		if !database.Storable(*c.Value) {
			return nil, page.ErrCursor
		}
	case l.column == "position":
		if _, err := strconv.ParseInt(*c.Value, 10, 64); err != nil {
			return nil, page.ErrCursor
		}
	case l.column != "priority":
		at, err := time.Parse(time.RFC3339Nano, *c.Value)
		if err != nil || !database.StorableTime(at) {
			return nil, page.ErrCursor
		}
	}
	return c, nil
}

// cursorOf is the place of t in the list.
func (l *listing) cursorOf(t *listed) cursor {
	c := cursor{Sort: l.sort, ID: t.ID}
	var text string
	switch l.column {
	case "title_key":
		key := append([]byte{}, t.TitleKey...)
		c.Key = &key
		return c
	case "created_at":
		text = t.CreatedAt.UTC().Format(time.RFC3339Nano)
	case "updated_at":
		text = t.UpdatedAt.UTC().Format(time.RFC3339Nano)
	case "due_at":
		if t.DueAt == nil {
			return c
		}
		text = t.DueAt.UTC().Format(time.RFC3339Nano)
	case "priority":
		text = t.Priority.String()
	case "position":
		text = strconv.FormatInt(t.Position, 10)
	case "title":
		text = t.Title
	}
	c.Value = &text
	return c
}
