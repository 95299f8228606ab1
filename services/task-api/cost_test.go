package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
)

// hashing are the operations whose examples are passwords to be hashed, which is meant to
// cost. What is asked of them here has none.
var hashing = []string{"register", "login", "change-password", "reset-password"}

// elsewhere are the operations that the front door passes on; their services try them.
var elsewhere = []string{"list-audit", "task-history", "list-notifications", "mark-notification", "preview-recurrence", "list-occurrences", "operator-dead-letters", "operator-discard"}

// No request costs more than its size deserves, whoever sends it.
func TestNoRequestIsDear(t *testing.T) {
	costtest.WithoutRace(t)
	s := start(t)
	u := s.newUser()
	path := at(u.create(object{"title": "t", "due_at": "2027-06-01T09:00:00Z"}).ID)
	mine := map[string]string{"Authorization": "Bearer " + u.token}
	sidecar := map[string]string{"dapr-api-token": appToken}
	id := uuid.NewString()
	const task = `{"title":"","tags":["a"],"due_at":"2027-06-01T09:00:00Z","reminders":[{"before_due":"PT1H"}],"recurrence":{"rrule":"FREQ=DAILY"}}`
	routes := []costtest.Route{
		{Method: http.MethodPost, Path: "/api/auth/register", Body: `{"email":"x","password":"long enough to pass"}`},
		{Method: http.MethodPost, Path: "/api/auth/login", Body: `{"email":"x","password":0}`},
		{Method: http.MethodPost, Path: "/api/auth/logout", Body: `{}`},
		{Method: http.MethodGet, Path: "/api/auth/me", Header: mine},
		{Method: http.MethodPatch, Path: "/api/auth/me", Body: `{"name":"x"}`, Header: mine},
		{Method: http.MethodGet, Path: "/api/tasks", Header: mine, Query: []string{"is_complete", "tag", "q", "cursor"}},
		{Method: http.MethodPost, Path: "/api/tasks", Body: task, Header: mine},
		{Method: http.MethodGet, Path: path, Header: mine},
		{Method: http.MethodPut, Path: path, Body: `{"title":"t","id":"` + id + `"}`, Header: mine},
		{Method: http.MethodPatch, Path: path, Body: task, Header: mine},
		{Method: http.MethodPatch, Path: path + "/complete", Body: `{"is_complete":true}`, Header: mine},
		{Method: http.MethodDelete, Path: "/api/tasks/" + id, Header: mine},
		{Method: http.MethodGet, Path: path + "/comments", Header: mine, Query: []string{"cursor"}},
		{Method: http.MethodPost, Path: path + "/comments", Body: `{"text":"x"}`, Header: mine},
		{Method: http.MethodPatch, Path: "/api/comments/" + id, Body: `{"text":"x"}`, Header: mine},
		{Method: http.MethodPost, Path: "/internal/occurrences", Body: `{"after_task_id":"` + id + `","due_at":"2027-06-02T09:00:00Z"}`, Header: sidecar},
		{Method: http.MethodPost, Path: "/api/auth/forgot", Body: `{"email":"x"}`},
		{Method: http.MethodPost, Path: "/api/auth/reset", Body: `{"token":"x","password":"long enough to pass"}`},
		{Method: http.MethodPost, Path: "/api/auth/verify", Body: `{"token":"x"}`},
		{Method: http.MethodPost, Path: "/api/auth/verify/resend", Body: `{"email":"x"}`},
		{Method: http.MethodPost, Path: "/internal/account-mails", Body: `{"mails":["` + id + `"]}`, Header: sidecar},
		{Method: http.MethodPost, Path: "/internal/reminders/check", Body: `{"reminders":[{"reminder_id":"` + id + `"}]}`, Header: sidecar},
		{Method: http.MethodPost, Path: "/api/auth/password", Body: `{"current_password":0,"password":"x"}`, Header: mine},
	}
	// The others that take something, as their examples in the description have it.
	for _, op := range describedOperations(t, s) {
		route := costtest.Route{Method: op.method, Path: op.path, Body: string(op.RequestBody.Content["application/json"].Example), Header: mine}
		for _, parameter := range op.Parameters {
			switch parameter.In {
			case "path":
				route.Path = strings.ReplaceAll(route.Path, "{"+parameter.Name+"}", id)
			case "query":
				route.Query = append(route.Query, parameter.Name)
			}
		}
		takes := route.Body != "" || len(route.Query) > 0
		// A stream does not end.
		if !takes || op.ID == "stream" || slices.Contains(hashing, op.ID) || slices.Contains(elsewhere, op.ID) ||
			slices.ContainsFunc(routes, func(r costtest.Route) bool {
				return r.Method == route.Method && strings.NewReplacer(path, "/api/tasks/"+id).Replace(r.Path) == route.Path
			}) {
			continue
		}
		routes = append(routes, route)
	}
	costtest.Run(t, s.base, costtest.Of(t, s.pid), routes...)
}
