package trail

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
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

// AuditEntry is an entry as those see it who may read it.
type AuditEntry struct {
	ID        uuid.UUID   `json:"id" format:"uuid" doc:"The id of the event that it was made of"`
	Action    string      `json:"action" doc:"What was done: the type of the audit event without audit., such as task.updated; there may be new ones"`
	TaskID    *uuid.UUID  `json:"task_id" nullable:"true" format:"uuid" doc:"The task it was done to; null where it was a list or the account"`
	ListID    *uuid.UUID  `json:"list_id" nullable:"true" format:"uuid" doc:"The list that it happened in, whose members can read this; null where it was the account, and in entries of before there were lists"`
	Actor     event.Actor `json:"actor" doc:"Who did it"`
	Target    string      `json:"target" doc:"What it was done to: task, list or user and the id, invitation and the address, or dead_letter, the service and its number there"`
	Before    Snapshot    `json:"before" doc:"The task, the list, the membership, the account or its API token before; null for what was created, and where the task came from a list that you are not a member of"`
	After     Snapshot    `json:"after" doc:"The same afterwards; null for what was deleted"`
	Changed   []string    `json:"changed" nullable:"false" doc:"The fields that differ"`
	Truncated []string    `json:"truncated" nullable:"false" doc:"Fields of before and after that were shortened, because an event is at most 64 KiB"`
	IP        string      `json:"ip" doc:"The address that the request came from; empty where there was no request, and of what another member did in a list"`
	UserAgent string      `json:"user_agent" doc:"The program that sent the request; empty as ip is"`
	RequestID string      `json:"request_id" doc:"The id of the request"`
	TraceID   string      `json:"trace_id" doc:"The trace that the request belongs to"`
	At        time.Time   `json:"at" doc:"When it was done"`
	Erased    bool        `json:"erased" doc:"Whether a part of this has gone with somebody who was erased. An actor without an address who was erased is a former member, whose user_id leads nowhere"`
}

// Snapshot is a task, a list, a membership or an account as it was, or null.
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
		Description: "Every change in the lists that you are a member of today, and of your account, and every sign-in, also those that failed. A change appears here within moments.", Security: httpapi.Authenticated, Extensions: httpapi.ForTokens(auth.AuditRead), Metadata: httpapi.Describe(nil, examplePage),
	}, a.list)
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "task-history", Method: http.MethodGet, Path: "/api/tasks/{id}/history", Tags: []string{"Audit"},
		Summary:     "What was done to a task, the earliest first",
		Description: "Every change of a task in the lists that you are a member of today, also when it has been deleted since. What became of it in other lists, before or since, is for their members.", Security: httpapi.Authenticated, Extensions: httpapi.ForTokens(auth.AuditRead), Metadata: httpapi.Describe(nil, examplePage, httpapi.Missing),
	}, a.history)
	a.mountActs(api)
}

func (a *API) list(ctx context.Context, in *struct {
	Filter
	TaskID string `query:"task_id" format:"uuid" doc:"What was done to this task"`
	ListID string `query:"list_id" format:"uuid" doc:"What was done in this list"`
},
) (*listOutput, error) {
	s := a.search(ctx, latestFirst)
	if in.TaskID != "" {
		id, err := uuid.Parse(in.TaskID)
		if err != nil {
			return nil, httpapi.Invalid("query.task_id", "must be a task's id")
		}
		s.where("e.task_id = ?", id)
	}
	if in.ListID != "" {
		id, err := uuid.Parse(in.ListID)
		if err != nil {
			return nil, httpapi.Invalid("query.list_id", "must be a list's id")
		}
		if !slices.Contains(s.lists, id) {
			return nil, httpapi.Invalid("query.list_id", "is none of your lists")
		}
		s.list = &id
	}
	return in.page(ctx, s)
}

func (a *API) history(ctx context.Context, in *struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The task"`
	Filter
},
) (*listOutput, error) {
	ofTask := func() *search {
		s := a.search(ctx, earliestFirst)
		s.where("e.task_id = ?", in.ID)
		return s
	}
	out, err := in.page(ctx, ofTask())
	if err != nil || len(out.Body.Items) > 0 {
		return out, err
	}
	known, err := ofTask().any(ctx)
	if err != nil {
		return nil, err
	}
	if !known {
		return nil, httpapi.NotFound("task")
	}
	return out, nil
}

func (a *API) search(ctx context.Context, d direction) *search {
	return &search{reader: readerOf(ctx), direction: d, db: a.DB}
}

// page reads one page of what s finds.
func (f Filter) page(ctx context.Context, s *search) (*listOutput, error) {
	if f.Action != "" {
		s.where("e.action = ?", f.Action)
	}
	for _, bound := range []struct{ name, where, at string }{
		{"from", "e.occurred_at >= ?", f.From}, {"to", "e.occurred_at < ?", f.To},
	} {
		at, err := httpapi.Time("query."+bound.name, bound.at)
		if err != nil {
			return nil, err
		}
		if at != nil {
			s.where(bound.where, at.UTC())
		}
	}
	if f.Cursor != "" {
		c, err := placeOf(f.Cursor)
		if err != nil {
			return nil, err
		}
		s.where(s.behind, c.At, c.Sequence, c.ID)
	}
	// One more than asked for, to know whether there is a next page.
	rows, err := s.read(ctx, f.Limit+1)
	if err != nil {
		return nil, err
	}
	return pageOf(rows, s.reader, f.Limit)
}

// placeOf is where a cursor points.
func placeOf(text string) (c cursor, err error) {
	if err := page.DecodeCursor(text, &c); err != nil {
		return c, err
	}
	if !database.StorableTime(c.At) || !database.Storable(c.Sequence) {
		return c, page.ErrCursor
	}
	c.At = c.At.UTC()
	return c, nil
}

// pageOf shows up to limit rows to a reader. More rows say that there is a next page.
func pageOf(rows []entry, to reader, limit int) (*listOutput, error) {
	items := make([]AuditEntry, len(rows))
	for i, r := range rows {
		items[i] = r.public(to)
	}
	out := &listOutput{}
	var err error
	out.Body.Items, out.Body.NextCursor, err = page.Cut(items, limit, func(last int) any {
		return cursor{rows[last].OccurredAt.UTC(), rows[last].Sequence, rows[last].ID}
	})
	return out, err
}

// public is the entry as it is shown to a reader who may read it.
func (e entry) public(to reader) AuditEntry {
	changed := e.Changed
	if changed == nil {
		changed = []string{}
	}
	if e.ListID != nil && e.ActorID != to.user {
		// From where, and with what, a member works is no business of the others.
		e.IP, e.UserAgent = "", ""
	}
	return AuditEntry{
		ID: e.ID, Action: e.Action, TaskID: e.TaskID, ListID: e.ListID, Actor: event.Actor{UserID: e.ActorID, Email: e.ActorEmail},
		Target: e.Target, Before: Snapshot{to.before(e)}, After: Snapshot{e.After}, Changed: changed, Truncated: append([]string{}, e.Truncated...), IP: e.IP,
		UserAgent: e.UserAgent, RequestID: e.RequestID, TraceID: e.TraceID, At: e.OccurredAt.UTC(), Erased: e.Erased,
	}
}
