package deadletter

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
	"github.com/taskwire/taskwire/pkg/operator"
)

// routesFor serves somebody whom task-api knows for an operator, or not.
func (h *harness) routesFor(isOperator bool) http.Handler {
	router := httpapi.NewRouter(slog.New(slog.DiscardHandler))
	router.Group(func(r chi.Router) {
		r.Use(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				next.ServeHTTP(w, r.WithContext(auth.WithCaller(r.Context(), auth.Caller{UserID: uuid.Max, Operator: isOperator})))
			})
		}, auth.OperatorOnly, httpapi.Bodies(httpapi.MaxBody))
		Routes(h.events, httpapi.Failures{Log: slog.New(slog.DiscardHandler)})(httpapi.NewAPI(r))
	})
	return router
}

func TestNoRequestIsDear(t *testing.T) {
	server := httptest.NewServer(newHarness(t).routesFor(true))
	t.Cleanup(server.Close)
	costtest.Run(t, server.URL, costtest.Own(t),
		costtest.Route{Method: http.MethodGet, Path: operator.LettersPath, Query: []string{"limit", "cursor"}},
		costtest.Route{Method: http.MethodPost, Path: strings.Replace(operator.DiscardPath, "{id}", "1", 1), Body: `{"reason":"x"}`},
	)
}

// ask makes a request as somebody whom task-api knows for an operator, or not.
func (h *harness) ask(status int, isOperator bool, method, path string, body, answer any) {
	h.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(h.t, err)
	req := httptest.NewRequest(method, path, bytes.NewReader(raw))
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	h.routesFor(isOperator).ServeHTTP(rec, req)
	require.Equal(h.t, status, rec.Code, "%s %s: %s", method, path, rec.Body)
	if answer != nil {
		require.NoError(h.t, json.Unmarshal(rec.Body.Bytes(), answer))
	}
}

func TestAnOperatorOfTaskAPIDoesWhatTheCommandDoes(t *testing.T) {
	h := newHarness(t)
	for range 3 {
		h.deadLetter(taskEvent(t))
	}
	var state operator.State
	h.ask(http.StatusOK, true, http.MethodGet, operator.StatePath, nil, &state)
	require.Equal(t, int64(3), state.DeadLetters)
	require.Len(t, state.Topics, 1)
	require.Equal(t, event.TopicTasks, state.Topics[0].Topic)
	require.NotNil(t, state.Topics[0].UpTo, "what was dead-lettered is done with")

	var page operator.DeadLetters
	h.ask(http.StatusOK, true, http.MethodGet, operator.LettersPath+"?limit=2", nil, &page)
	require.Len(t, page.Items, 2)
	first := page.Items[0]
	require.Equal(t, event.TaskCreated, first.Type)
	require.NotContains(t, first.Reason, "\x1b", "whoever may publish chooses what is in a letter")
	require.Contains(t, first.Reason, "mended")
	require.Positive(t, first.Size)
	h.ask(http.StatusOK, true, http.MethodGet, operator.LettersPath+"?limit=2&cursor="+*page.NextCursor, nil, &page)
	require.Len(t, page.Items, 1)
	require.Nil(t, page.NextCursor)
	h.ask(http.StatusUnprocessableEntity, true, http.MethodGet, operator.LettersPath+"?cursor=x", nil, nil)
	h.ask(http.StatusUnprocessableEntity, true, http.MethodGet, operator.LettersPath+"?limit=101", nil, nil)

	at := func(path, id string) string { return strings.Replace(path, "{id}", id, 1) }
	settle := func(path, id string, body any) operator.Settled {
		t.Helper()
		var out operator.Settled
		h.ask(http.StatusOK, true, http.MethodPost, at(path, id), body, &out)
		return out
	}
	failed := settle(operator.ReplayPath, "1", struct{}{})
	require.Equal(t, operator.Failed, failed.Outcome)
	require.Contains(t, failed.Reason, "mended")
	h.mended = true
	require.Equal(t, operator.Settled{Outcome: operator.Replayed}, settle(operator.ReplayPath, "1", struct{}{}))
	h.ask(http.StatusUnprocessableEntity, true, http.MethodPost, at(operator.DiscardPath, "2"), operator.Discard{Reason: " "}, nil)
	require.Equal(t, operator.Settled{Outcome: operator.Discarded}, settle(operator.DiscardPath, "2", operator.Discard{Reason: "a test"}))
	again := settle(operator.ReplayPath, "2", struct{}{})
	require.Equal(t, operator.Resolved, again.Outcome)
	require.Contains(t, again.Reason, "discarded")
	h.ask(http.StatusNotFound, true, http.MethodPost, at(operator.ReplayPath, "99"), struct{}{}, nil)

	// On record as with the command, under the operator's id.
	letter, acts, err := h.events.Letter(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "replayed", letter.Resolution)
	require.Equal(t, 2, letter.Replays)
	require.Len(t, acts, 2)
	require.Equal(t, "user/"+uuid.Max.String(), acts[1].Operator)
	_, acts, err = h.events.Letter(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, "a test", acts[0].Reason)

	// For everybody else there is nothing.
	for _, c := range [][2]string{{http.MethodGet, operator.StatePath}, {http.MethodGet, operator.LettersPath}, {http.MethodPost, at(operator.ReplayPath, "3")}, {http.MethodPost, at(operator.DiscardPath, "3")}} {
		h.ask(http.StatusNotFound, false, c[0], c[1], operator.Discard{Reason: "x"}, nil)
	}
	h.ask(http.StatusOK, true, http.MethodGet, operator.StatePath, nil, &state)
	require.Equal(t, int64(1), state.DeadLetters)
}
