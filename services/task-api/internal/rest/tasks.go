package rest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// Tasks is the tasks over HTTP.
type Tasks struct {
	Store    *task.Store
	Failures httpapi.Failures
}

// IDInput names a task in the path.
type IDInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

// MatchInput is the condition of a change.
type MatchInput struct {
	IfMatch string `header:"If-Match" maxLength:"1000" doc:"ETag of the version that the change is meant for; 412 when it is no longer that"`
}

type taskOutput struct {
	Status   int
	ETag     string `header:"ETag"`
	Location string `header:"Location"`
	Body     *Task
}

func answer(t *task.Task, err error) (*taskOutput, error) {
	if err != nil {
		return nil, err
	}
	body := shown(t)
	return &taskOutput{Status: http.StatusOK, ETag: etag(t.Version), Body: &body}, nil
}

// Mount adds the operations of a user on his tasks.
func (a *Tasks) Mount(api huma.API) {
	operation := func(id, method, path, summary string, errors ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Tasks"}, Errors: errors}
	}
	create := operation("create-task", http.MethodPost, "/api/tasks", "Create a task")
	create.DefaultStatus = http.StatusCreated
	forUser(api, a.Failures, create, a.create)
	forUser(api, a.Failures, operation("list-tasks", http.MethodGet, "/api/tasks", "List your tasks"), a.list)
	forUser(api, a.Failures, operation("get-task", http.MethodGet, "/api/tasks/{id}", "Read a task", http.StatusNotFound), a.get)
	forUser(api, a.Failures, operation("replace-task", http.MethodPut, "/api/tasks/{id}", "Replace a task", http.StatusNotFound, http.StatusPreconditionFailed), a.replace)
	forUser(api, a.Failures, operation("update-task", http.MethodPatch, "/api/tasks/{id}", "Change a task by a JSON merge patch", http.StatusNotFound, http.StatusPreconditionFailed), a.patch)
	forUser(api, a.Failures, operation("complete-task", http.MethodPatch, "/api/tasks/{id}/complete", "Complete a task, or reopen it; without a body it toggles", http.StatusNotFound, http.StatusPreconditionFailed), a.complete)
	remove := operation("delete-task", http.MethodDelete, "/api/tasks/{id}", "Delete a task and its subtasks", http.StatusNotFound, http.StatusPreconditionFailed)
	remove.DefaultStatus = http.StatusNoContent
	forUser(api, a.Failures, remove, a.remove)

	// A $ref can not say that it may be null as well; OpenAPI 3.1 says it so.
	if t := api.OpenAPI().Components.Schemas.Map()["Task"]; t != nil {
		recurrence := t.Properties["recurrence"]
		t.Properties["recurrence"] = &huma.Schema{AnyOf: []*huma.Schema{recurrence, {Type: "null"}}}
	}
}

func (a *Tasks) create(ctx context.Context, actor access.Actor, in *struct {
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day creates nothing and answers the same"`
	Body Input
},
) (*taskOutput, error) {
	key, err := keyOf(in.Key, in.Body)
	if err != nil {
		return nil, err
	}
	out, err := answer(a.Store.Create(ctx, actor, in.Body.draft(), key))
	if err != nil {
		return nil, err
	}
	out.Status, out.Location = http.StatusCreated, "/api/tasks/"+out.Body.ID.String()
	return out, nil
}

// keyOf is an Idempotency-Key with the body that it is for; nil for none.
func keyOf(key string, body Input) (*task.Key, error) {
	if key == "" {
		return nil, nil
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("hash the request: %w", err)
	}
	sum := sha256.Sum256(raw)
	return &task.Key{Key: key, Hash: sum[:]}, nil
}

type listInput struct {
	IsComplete   string   `query:"is_complete" enum:"true,false"`
	Priority     []string `query:"priority,explode" enum:"none,low,medium,high,urgent" doc:"Any of these"`
	Tag          []string `query:"tag,explode" maxItems:"20" doc:"All of these"`
	DueBefore    string   `query:"due_before" format:"date-time" doc:"Due earlier than this"`
	DueAfter     string   `query:"due_after" format:"date-time" doc:"Due at this time or later"`
	UpdatedAfter string   `query:"updated_after" format:"date-time" doc:"Changed at this time or later"`
	ParentID     string   `query:"parent_id" maxLength:"36" doc:"Subtasks of this task, or none: those that are no subtask"`
	SeriesID     string   `query:"series_id" format:"uuid" doc:"Tasks of this series"`
	Q            string   `query:"q" maxLength:"200" doc:"Text in the title or the description, whatever its case, accents and Unicode form"`
	Sort         string   `query:"sort" enum:"created_at,-created_at,updated_at,-updated_at,due_at,-due_at,priority,-priority,title,-title" default:"-created_at" doc:"- turns the order round; tasks without a due time come last; titles sort as people sort them, in the root collation of CLDR"`
	Limit        int      `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"A page ends earlier at 2 MiB"`
	Cursor       string   `query:"cursor" maxLength:"4000" doc:"next_cursor of the page before"`
}

func (in *listInput) query() (q task.Query, err error) {
	q = task.Query{Priorities: in.Priority, Tags: in.Tag, Text: in.Q, Sort: in.Sort, Limit: in.Limit, Cursor: in.Cursor}
	if in.IsComplete != "" {
		complete := in.IsComplete == "true"
		q.IsComplete = &complete
	}
	if q.DueBefore, err = timeOf("query.due_before", in.DueBefore); err != nil {
		return q, err
	}
	if q.DueAfter, err = timeOf("query.due_after", in.DueAfter); err != nil {
		return q, err
	}
	if q.UpdatedAfter, err = timeOf("query.updated_after", in.UpdatedAfter); err != nil {
		return q, err
	}
	if q.TopLevel = in.ParentID == "none"; !q.TopLevel {
		if q.ParentID, err = idOf("query.parent_id", in.ParentID, "must be a task's id, or none"); err != nil {
			return q, err
		}
	}
	q.SeriesID, err = idOf("query.series_id", in.SeriesID, "must be a series' id")
	return q, err
}

// timeOf reads a time; nil for none. It is a text until here: as a time, one of the
// year 1 would be taken for none.
func timeOf(location, text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, httpapi.Invalid(location, "must be a time such as 2027-03-28T09:00:00Z")
	}
	if !database.StorableTime(at) {
		return nil, httpapi.Invalid(location, database.TimeRange)
	}
	return &at, nil
}

// idOf reads an id; nil for none.
func idOf(location, text, must string) (*uuid.UUID, error) {
	if text == "" {
		return nil, nil
	}
	id, err := uuid.Parse(text)
	if err != nil {
		return nil, httpapi.Invalid(location, must)
	}
	return &id, nil
}

// Page is one page of a list.
type Page struct {
	Items      []Task  `json:"items" nullable:"false"`
	NextCursor *string `json:"next_cursor" doc:"null on the last page"`
}

func (a *Tasks) list(ctx context.Context, actor access.Actor, in *listInput) (*struct{ Body Page }, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	found, err := a.Store.List(ctx, actor, q)
	if err != nil {
		return nil, err
	}
	items := make([]Task, len(found.Tasks))
	for i, t := range found.Tasks {
		items[i] = shown(t)
	}
	var out struct{ Body Page }
	out.Body.Items, out.Body.NextCursor, err = page.Cut(items, in.Limit, found.CursorOf)
	return &out, err
}

func (a *Tasks) get(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	IfNoneMatch string `header:"If-None-Match" maxLength:"1000" doc:"ETag of what you have; 304 when it is still that"`
},
) (*taskOutput, error) {
	out, err := answer(a.Store.Get(ctx, actor, in.ID))
	if err != nil {
		return nil, err
	}
	if notModified(in.IfNoneMatch, out.Body.Version) {
		out.Status, out.Body = http.StatusNotModified, nil
	}
	return out, nil
}

func (a *Tasks) replace(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	Body ReplaceInput
},
) (*taskOutput, error) {
	return answer(a.Store.Replace(ctx, actor, in.ID, versions(in.IfMatch), in.Body.draft()))
}

func (a *Tasks) patch(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	Body PatchInput `contentType:"application/merge-patch+json"`
},
) (*taskOutput, error) {
	return answer(a.Store.Patch(ctx, actor, in.ID, versions(in.IfMatch), in.Body.patch()))
}

func (a *Tasks) complete(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
	Body *struct {
		IsComplete *bool `json:"is_complete,omitempty"`
	}
},
) (*taskOutput, error) {
	var wanted *bool
	if in.Body != nil {
		wanted = in.Body.IsComplete
	}
	return answer(a.Store.Complete(ctx, actor, in.ID, versions(in.IfMatch), wanted))
}

func (a *Tasks) remove(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	MatchInput
},
) (*struct{}, error) {
	return nil, a.Store.Delete(ctx, actor, in.ID, versions(in.IfMatch))
}
