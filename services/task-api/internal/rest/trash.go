package rest

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// TrashPage is a page of what is in the trash.
type TrashPage struct {
	Items      []*task.Trashed `json:"items" nullable:"false" doc:"What is in the trash, the latest first"`
	NextCursor *string         `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

// TrashIDInput names something in the trash in the path.
type TrashIDInput struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The task or the list"`
}

func (a *Tasks) mountTrash(api huma.API) {
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Trash"}, Metadata: said}
	}
	say := httpapi.Describe
	forToken(api, a.Failures, operation("list-trash", http.MethodGet, "/api/trash", "What is in the trash",
		"Of your lists, and the lists that were deleted while you were in them. It is there for 30 days, unless the operator says otherwise.",
		say(nil, TrashPage{Items: []*task.Trashed{&exampleTrashed}})), a.trash, auth.TasksRead)
	forToken(api, a.Failures, operation("restore", http.MethodPost, "/api/trash/{id}/restore", "Bring something back from the trash",
		"A task with its subtasks, in its list and at its place; a list with its tasks and members. Reminders whose time has passed do not come.",
		say(nil, exampleTrashed, httpapi.Missing, httpapi.ReadOnly, httpapi.OwnersOnly)), a.restore, auth.TasksWrite)
	purge := operation("purge", http.MethodDelete, "/api/trash/{id}", "Take something out of the trash for good",
		"By an owner of the list. Nothing of it is left but what the history says.",
		say(nil, nil, httpapi.Missing, httpapi.ReadOnly, httpapi.OwnersOnly))
	purge.DefaultStatus = http.StatusNoContent
	forToken(api, a.Failures, purge, a.purge, auth.TasksWrite)
}

func (a *Tasks) trash(ctx context.Context, actor access.Actor, in *PageInput) (out *struct{ Body TrashPage }, err error) {
	out = new(struct{ Body TrashPage })
	out.Body.Items, out.Body.NextCursor, err = pageOf(*in,
		func(behind *page.Place, limit int) ([]*task.Trashed, error) {
			return a.Store.Trash(ctx, actor, behind, limit)
		},
		func(t *task.Trashed) page.Place { return page.Place{At: t.DeletedAt, ID: t.ID} })
	return out, err
}

func (a *Tasks) restore(ctx context.Context, actor access.Actor, in *TrashIDInput) (*struct{ Body *task.Trashed }, error) {
	what, err := a.Store.Restore(ctx, actor, in.ID)
	return &struct{ Body *task.Trashed }{what}, err
}

func (a *Tasks) purge(ctx context.Context, actor access.Actor, in *TrashIDInput) (*struct{}, error) {
	return nil, a.Store.Purge(ctx, actor, in.ID)
}
