package task

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// ListQuery is what a list of tasks is narrowed and ordered by.
type ListQuery struct {
	IsComplete   string   `query:"is_complete" enum:"true,false"`
	Priority     []string `query:"priority,explode" enum:"none,low,medium,high,urgent" doc:"Any of these"`
	Tag          []string `query:"tag,explode" maxItems:"20" doc:"All of these"`
	DueBefore    string   `query:"due_before" format:"date-time" doc:"Due earlier than this"`
	DueAfter     string   `query:"due_after" format:"date-time" doc:"Due at this time or later"`
	UpdatedAfter string   `query:"updated_after" format:"date-time" doc:"Changed at this time or later"`
	ParentID     string   `query:"parent_id" maxLength:"36" doc:"Subtasks of this task, or none: those that are no subtask"`
	SeriesID     string   `query:"series_id" format:"uuid" doc:"Tasks of this series"`
	Q            string   `query:"q" maxLength:"200" doc:"Text in the title or the description, in any case"`
	Sort         string   `query:"sort" enum:"created_at,-created_at,updated_at,-updated_at,due_at,-due_at,priority,-priority,title,-title" default:"-created_at" doc:"- turns the order round; tasks without a due time come last"`
	Limit        int      `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor       string   `query:"cursor" maxLength:"4000" doc:"next_cursor of the page before"`
}

// Page is one page of a list.
type Page struct {
	Items      []event.Task `json:"items" nullable:"false"`
	NextCursor *string      `json:"next_cursor" doc:"null on the last page"`
}

// cursor is the place of the last item of a page: its sort value and id. The
// next page begins behind that place, whatever was added or removed since.
type cursor struct {
	Sort  string    `json:"s"`
	Value *string   `json:"v"`
	ID    uuid.UUID `json:"i"`
}

// List reads a page of the caller's tasks.
func (s *Store) List(ctx context.Context, in ListQuery) (Page, error) {
	column, descending := strings.CutPrefix(in.Sort, "-")
	var found []*Task
	q := s.DB.NewSelect().Model(&found).Where("user_id = ?", auth.CallerOf(ctx).UserID)
	q, err := in.filter(q)
	if err != nil {
		return Page{}, err
	}
	if in.Cursor != "" {
		var c cursor
		if err := httpapi.DecodeCursor(in.Cursor, &c); err != nil {
			return Page{}, err
		}
		if q, err = c.after(q, in.Sort, column, descending); err != nil {
			return Page{}, err
		}
	}
	direction := "ASC"
	if descending {
		direction = "DESC"
	}
	// One more than asked for, to know whether there is a next page.
	err = q.OrderExpr("? "+direction+" NULLS LAST, id "+direction, bun.Ident(column)).Limit(int64(in.Limit) + 1).Scan(ctx)
	if err != nil {
		return Page{}, fmt.Errorf("list the tasks: %w", err)
	}
	page := Page{Items: make([]event.Task, 0, len(found))}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		last := found[in.Limit-1]
		next, err := httpapi.EncodeCursor(cursor{Sort: in.Sort, Value: last.sortValue(column), ID: last.ID})
		if err != nil {
			return Page{}, fmt.Errorf("make a cursor: %w", err)
		}
		page.NextCursor = &next
	}
	if err := s.readReminders(ctx, s.DB, found, ""); err != nil {
		return Page{}, err
	}
	for _, t := range found {
		page.Items = append(page.Items, t.public())
	}
	return page, nil
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (in ListQuery) filter(q *bun.SelectQuery) (*bun.SelectQuery, error) {
	if in.IsComplete != "" {
		q = q.Where("is_complete = ?", in.IsComplete == "true")
	}
	if len(in.Priority) > 0 {
		wanted := make([]int, len(in.Priority))
		for i, name := range in.Priority {
			wanted[i] = int(priorityOf(name))
		}
		q = q.Where("priority IN (?)", bun.List(wanted))
	}
	for _, tag := range in.Tag {
		q = q.Where("? = ANY (tags)", tag)
	}
	for _, bound := range []struct {
		name, where, at string
	}{
		{"due_before", "due_at < ?", in.DueBefore}, {"due_after", "due_at >= ?", in.DueAfter}, {"updated_after", "updated_at >= ?", in.UpdatedAfter},
	} {
		if bound.at == "" {
			continue
		}
		// A text until here: as a time, one of the year 1 would be taken for none.
		at, err := time.Parse(time.RFC3339, bound.at)
		if err != nil {
			return nil, httpapi.Invalid("query."+bound.name, "must be a time such as 2027-03-28T09:00:00Z")
		}
		if !httpapi.StorableTime(at) {
			return nil, httpapi.Invalid("query."+bound.name, httpapi.TimeRange)
		}
		q = q.Where(bound.where, at.UTC())
	}
	switch {
	case in.ParentID == "none":
		q = q.Where("parent_id IS NULL")
	case in.ParentID != "":
		id, err := uuid.Parse(in.ParentID)
		if err != nil {
			return nil, httpapi.Invalid("query.parent_id", "must be a task's id, or none")
		}
		q = q.Where("parent_id = ?", id)
	}
	if in.SeriesID != "" {
		id, err := uuid.Parse(in.SeriesID)
		if err != nil {
			return nil, httpapi.Invalid("query.series_id", "must be a series' id")
		}
		q = q.Where("series_id = ?", id)
	}
	if in.Q != "" {
		text := "%" + likeEscape.Replace(in.Q) + "%"
		q = q.Where("(title ILIKE ? OR description ILIKE ?)", text, text)
	}
	return q, nil
}

// after narrows q to what comes behind the cursor's place. NULL sorts last
// both ways, and compares with nothing.
func (c cursor) after(q *bun.SelectQuery, sort, column string, descending bool) (*bun.SelectQuery, error) {
	bad := httpapi.Invalid("query.cursor", "not a cursor of this list; leave it out to start from the beginning")
	if c.Sort != sort {
		return nil, bad
	}
	than := ">"
	if descending {
		than = "<"
	}
	name := bun.Ident(column)
	if c.Value == nil {
		if column != "due_at" {
			return nil, bad
		}
		return q.Where("due_at IS NULL AND id "+than+" ?", c.ID), nil
	}
	var value any = *c.Value
	switch column {
	case "created_at", "updated_at", "due_at":
		at, err := time.Parse(time.RFC3339Nano, *c.Value)
		if err != nil || !httpapi.StorableTime(at) {
			return nil, bad
		}
		value = at
	case "priority":
		value = int(priorityOf(*c.Value))
	case "title":
		if !httpapi.Storable(*c.Value) {
			return nil, bad
		}
	}
	if column == "due_at" {
		return q.Where("((due_at, id) "+than+" (?, ?) OR due_at IS NULL)", value, c.ID), nil
	}
	return q.Where("(?, id) "+than+" (?, ?)", name, value, c.ID), nil
}

// sortValue is what t is sorted by, as a cursor keeps it.
func (t *Task) sortValue(column string) *string {
	var text string
	switch column {
	case "created_at":
		text = t.CreatedAt.UTC().Format(time.RFC3339Nano)
	case "updated_at":
		text = t.UpdatedAt.UTC().Format(time.RFC3339Nano)
	case "due_at":
		if t.DueAt == nil {
			return nil
		}
		text = t.DueAt.UTC().Format(time.RFC3339Nano)
	case "priority":
		text = t.Priority.String()
	case "title":
		text = t.Title
	}
	return &text
}
