package ledger

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/membership"
	"github.com/taskwire/taskwire/pkg/page"
)

type listInput struct {
	ID     uuid.UUID `path:"id" format:"uuid" doc:"A task of the series"`
	Limit  int       `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`
	Cursor string    `query:"cursor" maxLength:"200" doc:"next_cursor of the page before"`
}

// OccurrencePage is one page of a series.
type OccurrencePage struct {
	Items      []Occurrence `json:"items" nullable:"false" doc:"The occurrences"`
	NextCursor *string      `json:"next_cursor" doc:"The cursor of the next page; null on the last"`
}

type listOutput struct{ Body OccurrencePage }

// example is what the description of the API shows.
var example = OccurrencePage{Items: []Occurrence{{
	SeriesID: uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c5"), Occurrence: "2027-03-08T09:00:00", TaskID: &exampleTask,
	Status: Open, DueAt: &exampleDue, UpdatedAt: time.Date(2027, 3, 1, 8, 30, 0, 0, time.UTC),
}}}

var (
	exampleTask = uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c6")
	exampleDue  = time.Date(2027, 3, 8, 8, 0, 0, 0, time.UTC)
)

type cursor struct {
	Occurrence string `json:"o"`
}

// Mount adds the ledger of a task's series.
func Mount(api huma.API, failures httpapi.Failures, store *Store) {
	httpapi.Register(api, failures, huma.Operation{
		OperationID: "list-occurrences", Method: http.MethodGet, Path: "/api/tasks/{id}/occurrences", Tags: []string{"Recurrence"},
		Summary:     "What became of each occurrence of a task's series, the latest first",
		Description: "Each occurrence is open, done, skipped, missed, or ended with the series. A change appears here within moments.", Security: httpapi.Authenticated, Extensions: httpapi.ForTokens(auth.TasksRead),
		Metadata: httpapi.Describe(nil, example, httpapi.Missing),
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
		entries, err := store.page(ctx, readerOf(ctx), membership.Of(ctx), in.ID, from.Occurrence, in.Limit+1)
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

// readerOf is the user whose occurrences of before there were lists are shown; nobody for
// who is restricted to lists.
func readerOf(ctx context.Context) uuid.UUID {
	caller := auth.CallerOf(ctx)
	if caller.Restricted() {
		return uuid.Nil
	}
	return caller.UserID
}
