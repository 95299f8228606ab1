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

// AuditEntry is an entry as its user sees it.
type AuditEntry struct {
	ID        uuid.UUID   `json:"id" format:"uuid" doc:"The id of the event that it was made of"`
	Action    string      `json:"action" doc:"What was done: the type of the audit event without audit., such as task.updated; there may be new ones"`
	TaskID    *uuid.UUID  `json:"task_id" nullable:"true" format:"uuid" doc:"The task it was done to; null where it was the account"`
	Actor     event.Actor `json:"actor" doc:"Who did it"`
	Target    string      `json:"target" doc:"What it was done to: task or user, and its id"`
	Before    Snapshot    `json:"before" doc:"The task or the account before; null for what was created"`
	After     Snapshot    `json:"after" doc:"The task or the account afterwards; null for what was deleted"`
	Changed   []string    `json:"changed" nullable:"false" doc:"The fields that differ"`
	Truncated []string    `json:"truncated" nullable:"false" doc:"Fields of before and after that were shortened, because an event is at most 64 KiB"`
	IP        string      `json:"ip" doc:"The address that the request came from; empty where there was no request"`
	UserAgent string      `json:"user_agent" doc:"The program that sent the request"`
	RequestID string      `json:"request_id" doc:"The id of the request"`
	TraceID   string      `json:"trace_id" doc:"The trace that the request belongs to"`
	At        time.Time   `json:"at" doc:"When it was done"`
}

// Snapshot is a task or an account as it was, or null.
type Snapshot struct{ json.RawMessage }

// Schema describes any object, or null.
func (Snapshot) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true}
}

// AuditPage is one page of entries.
type AuditPage struct {
	Items      []AuditEntry `json:"items" nullable:"false" doc:"The entries"`
	NextCursor *string      `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

// Filter narrows a list of entries.
type Filter struct {
	Action string `query:"action" maxLength:"100" doc:"Only what was done so, such as task.updated" example:"task.updated"`
	From   string `query:"from" format:"date-time" doc:"Happened at this time or later" example:"2027-03-01T00:00:00Z"`
	To     string `query:"to" format:"date-time" doc:"Happened earlier than this" example:"2027-04-01T00:00:00Z"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"500" doc:"next_cursor of the page before"`
}

type listOutput struct{ Body AuditPage }

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
		Summary:     "What was done to what is yours, the latest first",
		Description: "Every change of your tasks and of your account, and every sign-in, also those that failed. A change appears here within moments.", Security: httpapi.Authenticated, Metadata: httpapi.Describe(nil, examplePage),
	}, a.list)
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "task-history", Method: http.MethodGet, Path: "/api/tasks/{id}/history", Tags: []string{"Audit"},
		Summary:     "What was done to a task, the earliest first",
		Description: "Every change of a task, also when it has been deleted since.", Security: httpapi.Authenticated, Metadata: httpapi.Describe(nil, examplePage, httpapi.Missing),
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
	ID uuid.UUID `path:"id" format:"uuid" doc:"The task"`
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
	items := make([]AuditEntry, len(rows))
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

func (e entry) public() AuditEntry {
	changed := e.Changed
	if changed == nil {
		changed = []string{}
	}
	return AuditEntry{
		ID: e.ID, Action: e.Action, TaskID: e.TaskID, Actor: event.Actor{UserID: e.ActorID, Email: e.ActorEmail},
		Target: e.Target, Before: Snapshot{e.Before}, After: Snapshot{e.After}, Changed: changed, Truncated: append([]string{}, e.Truncated...), IP: e.IP,
		UserAgent: e.UserAgent, RequestID: e.RequestID, TraceID: e.TraceID, At: e.OccurredAt.UTC(),
	}
}
