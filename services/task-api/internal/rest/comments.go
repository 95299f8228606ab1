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
	"github.com/taskwire/taskwire/services/task-api/internal/comment"
)

// Comments is the comments on tasks over HTTP.
type Comments struct {
	Store    *comment.Store
	Failures httpapi.Failures
}

// CommentIDInput names a comment in the path.
type CommentIDInput struct {
	ID uuid.UUID `path:"id" format:"uuid" doc:"The comment"`
}

// CommentInput is a new comment as a request says it.
type CommentInput struct {
	Text string `json:"text" minLength:"1" maxLength:"10000" doc:"What it says. @ and the address of a member mentions the member"`
}

// CommentPatch is a JSON merge patch of a comment.
type CommentPatch struct {
	Text optional[string] `json:"text,omitempty" minLength:"1" maxLength:"10000" nullable:"false" doc:"What it says"`
}

// CommentPage is a page of comments.
type CommentPage struct {
	Items      []*comment.Comment `json:"items" nullable:"false" doc:"The comments, the oldest first"`
	NextCursor *string            `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

// Mount adds the operations of a user on the comments on his tasks.
func (a *Comments) Mount(api huma.API) {
	operation := func(id, method, path, summary, more string, said map[string]any) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: more, Tags: []string{"Comments"}, Metadata: said}
	}
	say := httpapi.Describe
	forToken(api, a.Failures, operation("list-comments", http.MethodGet, "/api/tasks/{id}/comments", "Comments on a task",
		"Whoever may read the task may read them.", say(nil, CommentPage{Items: []*comment.Comment{&exampleComment}}, httpapi.Missing)), a.of, auth.TasksRead)
	fresh := exampleComment
	fresh.EditedAt = nil
	add := operation("add-comment", http.MethodPost, "/api/tasks/{id}/comments", "Comment on a task",
		"Members of the list who are mentioned, and the assignee of the task, have a notification of it. "+
			"With an Idempotency-Key a repetition within a day makes nothing, and answers the same.",
		say(CommentInput{exampleComment.Text}, fresh, httpapi.Missing, httpapi.ReadOnly, httpapi.LimitReached, httpapi.KeyUsed))
	add.DefaultStatus = http.StatusCreated
	forToken(api, a.Failures, add, a.add, auth.TasksWrite)
	forToken(api, a.Failures, operation("update-comment", http.MethodPatch, "/api/comments/{id}", "Change a comment by a JSON merge patch",
		"By who wrote it. Nobody is notified of it.",
		say(map[string]any{"text": exampleComment.Text}, exampleComment, httpapi.Missing, httpapi.ReadOnly, httpapi.AuthorsOnly)), a.patch, auth.TasksWrite)
	remove := operation("delete-comment", http.MethodDelete, "/api/comments/{id}", "Delete a comment",
		"By who wrote it, or an owner of the list.", say(nil, nil, httpapi.Missing, httpapi.ReadOnly, httpapi.AuthorsOnly))
	remove.DefaultStatus = http.StatusNoContent
	forToken(api, a.Failures, remove, a.remove, auth.TasksWrite)
}

func (a *Comments) of(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	PageInput
},
) (out *struct{ Body CommentPage }, err error) {
	out = new(struct{ Body CommentPage })
	out.Body.Items, out.Body.NextCursor, err = pageOf(in.PageInput,
		func(after *page.Place, limit int) ([]*comment.Comment, error) {
			return a.Store.Of(ctx, actor, in.ID, after, limit)
		},
		func(c *comment.Comment) page.Place { return page.Place{At: c.CreatedAt, ID: c.ID} })
	return out, err
}

func (a *Comments) add(ctx context.Context, actor access.Actor, in *struct {
	IDInput
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Chosen by you: a repetition within a day makes nothing and answers the same"`
	Body CommentInput
},
) (*struct{ Body *comment.Comment }, error) {
	key, err := keyOf(in.Key, "comment/"+in.ID.String(), in.Body)
	if err != nil {
		return nil, err
	}
	c, err := a.Store.Add(ctx, actor, in.ID, in.Body.Text, key)
	return &struct{ Body *comment.Comment }{c}, err
}

func (a *Comments) patch(ctx context.Context, actor access.Actor, in *struct {
	CommentIDInput
	Body CommentPatch `contentType:"application/merge-patch+json"`
},
) (*struct{ Body *comment.Comment }, error) {
	c, err := a.Store.Edit(ctx, actor, in.ID, given(in.Body.Text.Optional))
	return &struct{ Body *comment.Comment }{c}, err
}

func (a *Comments) remove(ctx context.Context, actor access.Actor, in *CommentIDInput) (*struct{}, error) {
	return nil, a.Store.Delete(ctx, actor, in.ID)
}
