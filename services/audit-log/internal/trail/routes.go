package trail

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
)

// API shows the trail to those it tells of.
type API struct {
	DB       *bun.DB
	Failures httpapi.Failures
}

// Entry is an entry as its user sees it.
type Entry struct {
	ID        uuid.UUID       `json:"id"`
	Action    string          `json:"action" example:"task.updated"`
	TaskID    *uuid.UUID      `json:"task_id"`
	Actor     event.Actor     `json:"actor"`
	Target    string          `json:"target"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Changed   []string        `json:"changed" nullable:"false"`
	Truncated []string        `json:"truncated" nullable:"false" doc:"Fields of before and after that were shortened, because an event is at most 64 KiB"`
	IP        string          `json:"ip"`
	UserAgent string          `json:"user_agent"`
	RequestID string          `json:"request_id"`
	TraceID   string          `json:"trace_id"`
	At        time.Time       `json:"at"`
}

// Filter narrows a list of entries.
type Filter struct {
	Action string `query:"action" maxLength:"100" doc:"Such as task.updated"`
	From   string `query:"from" format:"date-time" doc:"Happened at this time or later"`
	To     string `query:"to" format:"date-time" doc:"Happened earlier than this"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"500" doc:"next_cursor of the page before"`
}

type listOutput struct {
	Body struct {
		Items      []Entry `json:"items" nullable:"false"`
		NextCursor *string `json:"next_cursor" doc:"null on the last page"`
	}
}

// cursor is the place of the last entry of a page.
type cursor struct {
	At       time.Time `json:"a"`
	Sequence string    `json:"s"`
	ID       uuid.UUID `json:"i"`
}

// Mount adds the lists.
func (a *API) Mount(api huma.API) {
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/api/audit", Tags: []string{"Audit"},
		Summary: "What was done to what is yours, the latest first", Security: httpapi.Authenticated, Errors: []int{http.StatusUnauthorized},
	}, a.list)
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "task-history", Method: http.MethodGet, Path: "/api/tasks/{id}/history", Tags: []string{"Audit"},
		Summary: "What was done to a task, the earliest first", Security: httpapi.Authenticated, Errors: []int{http.StatusUnauthorized, http.StatusNotFound},
	}, a.history)
}

func (a *API) list(ctx context.Context, in *struct {
	Filter
	TaskID string `query:"task_id" format:"uuid" doc:"What was done to this task"`
},
) (*listOutput, error) {
	q := a.DB.NewSelect().Model((*entry)(nil)).Where("user_id = ?", auth.CallerOf(ctx).UserID).OrderExpr("occurred_at DESC, sequence DESC, id DESC")
	if in.TaskID != "" {
		id, err := uuid.Parse(in.TaskID)
		if err != nil {
			return nil, httpapi.Invalid("query.task_id", "must be a task's id")
		}
		q = q.Where("task_id = ?", id)
	}
	return in.page(ctx, q, "(occurred_at, sequence, id) < (?, ?, ?)")
}

func (a *API) history(ctx context.Context, in *struct {
	ID uuid.UUID `path:"id" format:"uuid"`
	Filter
},
) (*listOutput, error) {
	mine := func() *bun.SelectQuery {
		return a.DB.NewSelect().Model((*entry)(nil)).Where("user_id = ?", auth.CallerOf(ctx).UserID).Where("task_id = ?", in.ID)
	}
	out, err := in.page(ctx, mine().OrderExpr("occurred_at, sequence, id"), "(occurred_at, sequence, id) > (?, ?, ?)")
	if err != nil || len(out.Body.Items) > 0 {
		return out, err
	}
	known, err := mine().Exists(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for a task's history: %w", err)
	}
	if !known {
		return nil, httpapi.NotFound("task")
	}
	return out, nil
}

// page reads one page of q; behind is the condition of being behind a cursor.
func (f Filter) page(ctx context.Context, q *bun.SelectQuery, behind string) (*listOutput, error) {
	if f.Action != "" {
		q = q.Where("action = ?", f.Action)
	}
	for _, bound := range []struct{ name, where, at string }{
		{"from", "occurred_at >= ?", f.From}, {"to", "occurred_at < ?", f.To},
	} {
		at, err := httpapi.Time("query."+bound.name, bound.at)
		if err != nil {
			return nil, err
		}
		if at != nil {
			q = q.Where(bound.where, at.UTC())
		}
	}
	if f.Cursor != "" {
		var c cursor
		if err := page.DecodeCursor(f.Cursor, &c); err != nil {
			return nil, err
		}
		if !database.StorableTime(c.At) || !database.Storable(c.Sequence) {
			return nil, page.ErrCursor
		}
		q = q.Where(behind, c.At.UTC(), c.Sequence, c.ID)
	}
	// One more than asked for, to know whether there is a next page.
	rows, err := read(ctx, q, behind, f.Limit+1)
	if err != nil {
		return nil, err
	}
	items := make([]Entry, len(rows))
	for i, r := range rows {
		items[i] = r.public()
	}
	out := &listOutput{}
	out.Body.Items, out.Body.NextCursor, err = page.Cut(items, f.Limit, func(last int) any {
		return cursor{rows[last].OccurredAt.UTC(), rows[last].Sequence, rows[last].ID}
	})
	return out, err
}

// chunk is how many entries are read at once. Each may have what was before and
// after in 64 KiB: a chunk of the largest is about as much as a page has room for.
const chunk = 51

// read reads the first n entries of q, but no more than the chunk in which a
// page's bytes are reached.
func read(ctx context.Context, q *bun.SelectQuery, behind string, n int) ([]entry, error) {
	var all []entry
	for bytes := 0; len(all) < n && bytes <= page.Bytes; {
		if len(all) > 0 {
			last := all[len(all)-1]
			q = q.Where(behind, last.OccurredAt.UTC(), last.Sequence, last.ID)
		}
		want := min(chunk, n-len(all))
		var rows []entry
		if err := q.Limit(int64(want)).Scan(ctx, &rows); err != nil {
			return nil, fmt.Errorf("list the audit entries: %w", err)
		}
		for _, r := range rows {
			bytes += len(r.Before) + len(r.After)
		}
		if all = append(all, rows...); len(rows) < want {
			break
		}
	}
	return all, nil
}

func (e entry) public() Entry {
	null := func(raw json.RawMessage) json.RawMessage {
		if raw == nil {
			return json.RawMessage("null")
		}
		return raw
	}
	changed := e.Changed
	if changed == nil {
		changed = []string{}
	}
	return Entry{
		ID: e.ID, Action: e.Action, TaskID: e.TaskID, Actor: event.Actor{UserID: e.ActorID, Email: e.ActorEmail},
		Target: e.Target, Before: null(e.Before), After: null(e.After), Changed: changed, Truncated: append([]string{}, e.Truncated...), IP: e.IP,
		UserAgent: e.UserAgent, RequestID: e.RequestID, TraceID: e.TraceID, At: e.OccurredAt.UTC(),
	}
}
