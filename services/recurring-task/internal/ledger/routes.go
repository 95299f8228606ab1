package ledger

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
)

type listInput struct {
	ID     uuid.UUID `path:"id" format:"uuid"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Cursor string    `query:"cursor" maxLength:"200" doc:"next_cursor of the page before"`
}

type listOutput struct {
	Body struct {
		Items      []Entry `json:"items" nullable:"false"`
		NextCursor *string `json:"next_cursor" doc:"null on the last page"`
	}
}

type cursor struct {
	Occurrence string `json:"o"`
}

// Mount adds the ledger of a task's series.
func Mount(api huma.API, failures httpapi.Failures, store *Store) {
	httpapi.Register(api, failures, huma.Operation{
		OperationID: "list-occurrences", Method: http.MethodGet, Path: "/api/tasks/{id}/occurrences", Tags: []string{"Recurrence"},
		Summary: "What became of each occurrence of a task's series, the latest first", Security: httpapi.Authenticated,
		Errors: []int{http.StatusUnauthorized, http.StatusNotFound},
	}, func(ctx context.Context, in *listInput) (*listOutput, error) {
		var from cursor
		if in.Cursor != "" {
			if err := page.DecodeCursor(in.Cursor, &from); err != nil {
				return nil, err
			}
			if !database.Storable(from.Occurrence) {
				return nil, page.ErrCursor
			}
		}
		entries, err := store.page(ctx, auth.CallerOf(ctx).UserID, in.ID, from.Occurrence, in.Limit+1)
		if errors.Is(err, errNotFound) {
			return nil, httpapi.NotFound("recurring task")
		}
		if err != nil {
			return nil, err
		}
		out := &listOutput{}
		out.Body.Items, out.Body.NextCursor, err = page.Cut(entries, in.Limit, func(last int) any { return cursor{entries[last].Occurrence} })
		return out, err
	})
}
