package inapp

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
)

type listInput struct {
	Unread bool   `query:"unread" doc:"Only those that have not been read"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string `query:"cursor" maxLength:"500" doc:"next_cursor of the page before"`
}

type listOutput struct {
	Body struct {
		Items      []Notification `json:"items" nullable:"false"`
		NextCursor *string        `json:"next_cursor" doc:"Where the next page begins; null on the last"`
		Unread     int64          `json:"unread" doc:"How many have not been read, on all pages"`
	}
}

type markInput struct {
	ID   uuid.UUID `path:"id" format:"uuid"`
	Body struct {
		Read bool `json:"read"`
	}
}

type readInput struct {
	ID uuid.UUID `path:"id" format:"uuid"`
}

type markOutput struct{ Body Notification }

type readAllOutput struct {
	Body struct {
		Updated int64 `json:"updated" doc:"How many were unread"`
	}
}

// Register adds the notifications' operations to api, whose router admits
// callers with a valid token only.
func Register(api huma.API, failures httpapi.Failures, store *Store) {
	operation := func(id, method, path, summary string, errors ...int) huma.Operation {
		return huma.Operation{
			OperationID: id, Method: method, Path: path, Summary: summary, Tags: []string{"Notifications"},
			Security: httpapi.Authenticated, Errors: append(errors, http.StatusUnauthorized), MaxBodyBytes: httpapi.MaxBody,
		}
	}
	httpapi.Register(api, failures, operation("list-notifications", http.MethodGet, "/api/notifications", "List your notifications, newest first"),
		func(ctx context.Context, in *listInput) (*listOutput, error) { return store.page(ctx, in) })
	httpapi.Register(api, failures, operation("mark-notification", http.MethodPatch, "/api/notifications/{id}", "Mark a notification as read or unread", http.StatusNotFound),
		func(ctx context.Context, in *markInput) (*markOutput, error) {
			return store.answerMark(ctx, in.ID, in.Body.Read)
		})
	httpapi.Register(api, failures, operation("read-notification", http.MethodPost, "/api/notifications/{id}/read", "Mark a notification as read", http.StatusNotFound),
		func(ctx context.Context, in *readInput) (*markOutput, error) {
			return store.answerMark(ctx, in.ID, true)
		})
	httpapi.Register(api, failures, operation("read-all-notifications", http.MethodPost, "/api/notifications/read-all", "Mark all your notifications as read"),
		func(ctx context.Context, _ *struct{}) (*readAllOutput, error) {
			n, err := store.markAll(ctx, auth.CallerOf(ctx).UserID)
			if err != nil {
				return nil, err
			}
			out := &readAllOutput{}
			out.Body.Updated = n
			return out, nil
		})
}

func (s *Store) page(ctx context.Context, in *listInput) (*listOutput, error) {
	var after *position
	if in.Cursor != "" {
		after = &position{}
		if err := page.DecodeCursor(in.Cursor, after); err != nil {
			return nil, err
		}
		if after.ID == uuid.Nil || !database.StorableTime(after.At) {
			return nil, page.ErrCursor
		}
		after.At = after.At.UTC()
	}
	user := auth.CallerOf(ctx).UserID
	// One more than asked for tells whether there is another page.
	items, err := s.list(ctx, user, in.Unread, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	out := &listOutput{}
	out.Body.Items, out.Body.NextCursor, err = page.Cut(items, in.Limit, func(last int) any {
		return position{At: items[last].CreatedAt, ID: items[last].ID}
	})
	if err != nil {
		return nil, err
	}
	out.Body.Unread, err = s.countUnread(ctx, user)
	return out, err
}

func (s *Store) answerMark(ctx context.Context, id uuid.UUID, read bool) (*markOutput, error) {
	n, ok, err := s.mark(ctx, auth.CallerOf(ctx).UserID, id, read)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, httpapi.NotFound("notification")
	}
	return &markOutput{Body: n}, nil
}
