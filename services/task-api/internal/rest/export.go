package rest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/export"
)

// Export gives a user all that there is of him.
type Export struct {
	Store *export.Store
	// Get asks a service for something of the caller's, and answers the body of a 200.
	Get      func(ctx context.Context, app, path string) (io.ReadCloser, error)
	Failures httpapi.Failures
}

// elsewhere is what other services have of a user: what is asked of which, and the file
// that it comes into.
var elsewhere = []struct{ request, app, file string }{
	{"GET /api/notifications", "notification", "notifications.ndjson"},
	{"GET /internal/acts", "audit-log", "audit.ndjson"},
}

// Mount adds the export of what is the caller's.
func (e *Export) Mount(api huma.API) {
	forUser(api, e.Failures, huma.Operation{
		OperationID: "export", Method: http.MethodPost, Path: "/api/auth/export", Tags: []string{"Accounts"}, Summary: "All that there is of you",
		Description: "A ZIP archive: your account and sessions, your lists with their tasks (also as iCalendar), your reminders and comments, the trash, your notifications, and all that you have done, " +
			"also in lists that you have left. JSON is a thing in each line. There is one export at a time for each user. An archive that could not be written to its end breaks off, and can not be opened.",
		Responses: map[string]*huma.Response{"200": {Description: "The archive", Content: map[string]*huma.MediaType{"application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}},
		Metadata:  httpapi.Describe(nil, nil, httpapi.SignInAgain, httpapi.Missing, httpapi.TooManyRequests, httpapi.Busy),
	}, e.export)
}

func (e *Export) export(ctx context.Context, actor access.Actor, _ *struct{}) (*huma.StreamResponse, error) {
	sources := make([]export.Source, len(elsewhere))
	for i, s := range elsewhere {
		_, path, _ := strings.Cut(s.request, " ")
		sources[i] = export.Source{Name: s.file, Page: func(ctx context.Context, cursor string) ([]json.RawMessage, string, error) {
			return e.page(ctx, s.app, path, cursor)
		}}
	}
	given, err := e.Store.Begin(ctx, actor, auth.CallerOf(ctx).SessionID, sources...)
	if errors.Is(err, export.ErrUnderWay) {
		return nil, httpapi.TooMany("an export of yours is under way; wait until it has ended", time.Minute)
	}
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		defer given.End(c.Context())
		c.SetHeader("Content-Type", "application/zip")
		c.SetHeader("Content-Disposition", `attachment; filename="taskwire.zip"`)
		c.SetHeader("Cache-Control", "no-store")
		if err := given.Write(c.Context(), c.BodyWriter()); err != nil {
			_ = e.Failures.Of(c.Context(), err) // it logs what is the server's
			panic(http.ErrAbortHandler)         // the client is to see that this is not the end
		}
	}}, nil
}

// pageRows is how many things of another service are asked for at once.
const pageRows = "200"

// page asks a service for a page of what it has of the caller.
func (e *Export) page(ctx context.Context, app, path, cursor string) (items []json.RawMessage, next string, err error) {
	query := url.Values{"limit": {pageRows}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	body, err := e.Get(ctx, app, path+"?"+query.Encode())
	if err != nil {
		return nil, "", err
	}
	defer body.Close()
	var page struct {
		Items      []json.RawMessage `json:"items"`
		NextCursor *string           `json:"next_cursor"`
	}
	if err := json.NewDecoder(body).Decode(&page); err != nil {
		return nil, "", httpapi.Unavailable(app + " does not answer as it should; try again shortly")
	}
	if page.NextCursor != nil {
		next = *page.NextCursor
	}
	return page.Items, next, nil
}
