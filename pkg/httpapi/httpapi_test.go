package httpapi_test

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
)

var quiet = slog.New(slog.DiscardHandler)

type input struct {
	Q    string   `query:"q"`
	Key  string   `header:"X-Key"`
	Many []string `query:"many,explode"`
	Body struct {
		Text  string `json:"text" maxLength:"5"`
		Inner []struct {
			Deep *string `json:"deep,omitempty"`
		} `json:"inner,omitempty"`
	}
}

type filters struct {
	Q    string   `query:"q" maxLength:"200"`
	Many []string `query:"many,explode" maxItems:"20"`
	Key  string   `header:"Idempotency-Key" maxLength:"255"`
}

// service answers what the test says.
func service(fail error) http.Handler {
	router := httpapi.NewRouter(quiet)
	router.Get("/panic", func(http.ResponseWriter, *http.Request) { panic("secret detail") })
	router.Get("/nothing", func(http.ResponseWriter, *http.Request) {})
	router.Group(func(r chi.Router) {
		api := httpapi.NewAPI(r)
		httpapi.Register(api, httpapi.Failures{Log: quiet}, huma.Operation{OperationID: "do", Method: http.MethodPost, Path: "/do"},
			func(context.Context, *input) (*struct{}, error) { return nil, fail })
		httpapi.Register(api, httpapi.Failures{Log: quiet}, huma.Operation{OperationID: "list", Method: http.MethodGet, Path: "/list"},
			func(context.Context, *filters) (*struct{}, error) { return nil, fail })
	})
	return router
}

func TestWhatAFailureTells(t *testing.T) {
	shared := httpapi.NotFound("thing")
	for name, c := range map[string]struct {
		fail   error
		status int
	}{
		"nothing":                 {nil, http.StatusNoContent},
		"a problem":               {shared, http.StatusNotFound},
		"a wrapped problem":       {errors.Join(errors.New("secret detail"), shared), http.StatusNotFound},
		"a field":                 {httpapi.Invalid("body.text", "is wrong"), http.StatusUnprocessableEntity},
		"an error of its own":     {errors.New("secret detail"), http.StatusInternalServerError},
		"a connection that broke": {io.ErrUnexpectedEOF, http.StatusServiceUnavailable},
		"a time limit":            {context.DeadlineExceeded, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodPost, "/do", strings.NewReader(`{"text":"x"}`))
			req.Header.Set("Content-Type", "application/json")
			rec := httptest.NewRecorder()
			service(c.fail).ServeHTTP(rec, req)
			require.Equal(t, c.status, rec.Code, rec.Body)
			require.NotContains(t, rec.Body.String(), "secret")
			if c.fail != nil {
				require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
				require.Contains(t, rec.Body.String(), `"request_id":"`+rec.Header().Get("X-Request-Id")+`"`)
			}
			if c.status == http.StatusServiceUnavailable {
				require.NotEmpty(t, rec.Header().Get("Retry-After"))
			}
			require.Empty(t, shared.RequestID, "a shared problem stays as it is")
		})
	}
}

func TestWhatTheRouterAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		method, target, body, id string
		status                   int
		location                 string
	}{
		"an address of nothing":      {method: http.MethodGet, target: "/x", status: 404},
		"another method":             {method: http.MethodDelete, target: "/do", status: 405},
		"a panic":                    {method: http.MethodGet, target: "/panic", status: 500},
		"a malformed query":          {method: http.MethodPost, target: "/do?q=%zz", body: `{"text":"x"}`, status: 422, location: "query"},
		"a query separated by ;":     {method: http.MethodPost, target: "/do?q=a;b", body: `{"text":"x"}`, status: 422, location: "query"},
		"an unknown query parameter": {method: http.MethodPost, target: "/do?p=1", body: `{"text":"x"}`, status: 422, location: "query.p"},
		"a NUL in a query":           {method: http.MethodPost, target: "/do?q=%00", body: `{"text":"x"}`, status: 422, location: "query.q"},
		"a NUL in the second of two": {method: http.MethodPost, target: "/do?many=a&many=%00", body: `{"text":"x"}`, status: 422, location: "query.many[1]"},
		"a NUL in the body":          {method: http.MethodPost, target: "/do", body: `{"text":"\u0000"}`, status: 422, location: "body.text"},
		"a NUL deep in the body":     {method: http.MethodPost, target: "/do", body: `{"text":"x","inner":[{},{"deep":"\u0000"}]}`, status: 422, location: "body.inner[1].deep"},
		"a long text":                {method: http.MethodPost, target: "/do", body: `{"text":"xxxxxx"}`, status: 422, location: "body.text"},
		"a text of 5 wide letters":   {method: http.MethodPost, target: "/do", body: `{"text":"日本語日本"}`, status: 204},
		"an unknown field":           {method: http.MethodPost, target: "/do", body: `{"text":"x","y":1}`, status: 422, location: "body.y"},
		"a field in another case":    {method: http.MethodPost, target: "/do", body: `{"text":"x","Text":"y"}`, status: 422, location: "body.Text"},
		"bytes that are no UTF-8":    {method: http.MethodPost, target: "/do", body: "{\"text\":\"\xff\"}", status: 400, location: "body"},
		"malformed JSON":             {method: http.MethodPost, target: "/do", body: `{`, status: 400, location: "body"},
		"a number of 401 digits":     {method: http.MethodPost, target: "/do", body: `{"text":"x","inner":` + strings.Repeat("9", 401) + `}`, status: 400, location: "body"},
		"a harmful request id":       {method: http.MethodGet, target: "/x", id: "a\"b <script>", status: 404},
		"a long request id":          {method: http.MethodGet, target: "/x", id: strings.Repeat("a", 65), status: 404},
	} {
		t.Run(name, func(t *testing.T) {
			req := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			req.Header.Set("Content-Type", "application/json")
			if c.id != "" {
				req.Header.Set("X-Request-Id", c.id)
			}
			rec := httptest.NewRecorder()
			service(nil).ServeHTTP(rec, req)
			require.Equal(t, c.status, rec.Code, rec.Body)
			require.NotContains(t, rec.Body.String(), "secret")
			require.NotEqual(t, c.id, rec.Header().Get("X-Request-Id"))
			require.Len(t, rec.Header().Get("X-Request-Id"), 36)
			require.Equal(t, "nosniff", rec.Header().Get("X-Content-Type-Options"))
			if c.status >= 400 {
				require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
			}
			if c.status == http.StatusMethodNotAllowed {
				require.Equal(t, []string{http.MethodPost}, rec.Header().Values("Allow"))
			}
			if c.location != "" {
				require.Contains(t, rec.Body.String(), `"location":"`+c.location+`"`)
			}
		})
	}
}

// A cursor is refused as what it is to the client.
func TestABadCursorIsNamed(t *testing.T) {
	var p *httpapi.Problem
	require.ErrorAs(t, httpapi.Failures{}.Of(t.Context(), fmt.Errorf("list: %w", page.ErrCursor)), &p)
	require.Equal(t, 422, p.Status)
	require.Equal(t, "query.cursor", p.Errors[0].Location)
}

func TestAProblemNamesFiftyFields(t *testing.T) {
	members := make([]string, 4000)
	for i := range members {
		members[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	req := httptest.NewRequest(http.MethodPost, "/do", strings.NewReader("{"+strings.Join(members, ",")+"}"))
	rec := httptest.NewRecorder()
	service(nil).ServeHTTP(rec, req)
	var p httpapi.Problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	require.Equal(t, http.StatusUnprocessableEntity, p.Status)
	require.Len(t, p.Errors, httpapi.MaxErrors)
	require.Contains(t, p.Detail, "only the first 50")
	require.Len(t, httpapi.NewProblem(httpapi.Unprocessable, "", make([]httpapi.FieldError, 51)...).Errors, httpapi.MaxErrors)
}

// A name with a dot in it is named as itself, and makes no later one longer.
func TestUnknownMembersAreNamedApart(t *testing.T) {
	req := httptest.NewRequest(http.MethodPost, "/do", strings.NewReader(`{"text":"x","a.b":0,"c[0":0,"\u002e":0,"d":0}`))
	rec := httptest.NewRecorder()
	service(nil).ServeHTTP(rec, req)
	var p httpapi.Problem
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &p))
	var places []string
	for _, e := range p.Errors {
		places = append(places, e.Location)
	}
	require.ElementsMatch(t, []string{"body.a%2Eb", "body.c%5B0", "body.%2E", "body.d"}, places)
}

// A read has less time than a write.
func TestOperationsHaveADeadline(t *testing.T) {
	router := httpapi.NewRouter(quiet)
	api := httpapi.NewAPI(router)
	for method, most := range map[string]time.Duration{http.MethodGet: 5 * time.Second, http.MethodPost: 15 * time.Second} {
		httpapi.Register(api, httpapi.Failures{Log: quiet}, huma.Operation{OperationID: method, Method: method, Path: "/"},
			func(ctx context.Context, _ *struct{}) (*struct{}, error) {
				at, ok := ctx.Deadline()
				require.True(t, ok)
				require.LessOrEqual(t, time.Until(at), most)
				return nil, nil
			})
		rec := httptest.NewRecorder()
		router.ServeHTTP(rec, httptest.NewRequest(method, "/", nil))
		require.Equal(t, http.StatusNoContent, rec.Code)
	}
}

// A client that hangs up is no failure of the service, whatever its transaction
// says of it.
func TestAClientThatHasGoneIsNoFailure(t *testing.T) {
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	for name, c := range map[string]struct {
		ctx    context.Context
		err    error
		status int
		logged bool
	}{
		"its context ended":                     {gone, fmt.Errorf("insert: %w", context.Canceled), 499, false},
		"its statement was cancelled":           {gone, fmt.Errorf("insert: %w", &pgconn.PgError{Code: "57014"}), 499, false},
		"its connection was given up":           {gone, fmt.Errorf("insert: %w", driver.ErrBadConn), 499, false},
		"its transaction was rolled back":       {gone, fmt.Errorf("insert: %w", sql.ErrTxDone), 499, false},
		"a transaction that ended before a use": {t.Context(), sql.ErrTxDone, http.StatusServiceUnavailable, true},
		"something else went wrong meanwhile":   {gone, errors.New("disk full"), http.StatusInternalServerError, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			err := httpapi.Failures{Log: slog.New(slog.NewTextHandler(&log, nil))}.Of(c.ctx, c.err)
			var p *httpapi.Problem
			require.ErrorAs(t, err, &p)
			require.Equal(t, c.status, p.Status)
			require.Equal(t, c.logged, log.Len() > 0)
		})
	}
}

// An empty filter would not be applied.
func TestAnEmptyParameterIsRefused(t *testing.T) {
	for query, status := range map[string]int{"?many=": 422, "?many=a&many=": 422, "?q=": 204, "?q=a&many=b": 204} {
		t.Run(query, func(t *testing.T) {
			rec := httptest.NewRecorder()
			service(nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/list"+query, nil))
			require.Equal(t, status, rec.Code, "%s", rec.Body)
			require.Equal(t, status == 422, strings.Contains(rec.Body.String(), `"query.many"`))
		})
	}
}
