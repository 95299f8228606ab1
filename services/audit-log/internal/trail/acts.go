package trail

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// mountActs adds what task-api asks for an export of a user: all that he has done. The
// front door passes no request for it on: of the lists that he has left he is to see
// nothing but this.
func (a *API) mountActs(api huma.API) {
	httpapi.Register(api, a.Failures, huma.Operation{
		OperationID: "list-acts", Method: http.MethodGet, Path: "/internal/acts", Hidden: true,
		Summary: "What the caller has done, the earliest first", Security: httpapi.Authenticated, Metadata: httpapi.Describe(nil, examplePage),
	}, a.acts)
}

func (a *API) acts(ctx context.Context, in *struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`
	Cursor string `query:"cursor" maxLength:"500" doc:"next_cursor of the page before"`
},
) (*listOutput, error) {
	var rows []entry
	q := a.DB.NewSelect().Model(&rows).ModelTableExpr("audit.entries AS e").Where("e.actor_id = ?", auth.CallerOf(ctx).UserID).
		OrderExpr(earliestFirst.order).Limit(int64(min(in.Limit+1, chunk)))
	if in.Cursor != "" {
		c, err := placeOf(in.Cursor)
		if err != nil {
			return nil, err
		}
		q = q.Where(earliestFirst.behind, c.At, c.Sequence, c.ID)
	}
	if err := q.Scan(ctx); err != nil {
		return nil, fmt.Errorf("list what a user has done: %w", err)
	}
	// As many as are read at once, each of which may be large.
	return pageOf(rows, readerOf(ctx), min(in.Limit, chunk-1))
}
