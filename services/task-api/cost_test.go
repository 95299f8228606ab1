package main

import (
	"net/http"
	"testing"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/httpapi/costtest"
)

// No request costs more than its size deserves, whoever sends it. (Signing in
// and registering hash a password, which is meant to cost.)
func TestNoRequestIsDear(t *testing.T) {
	s := start(t)
	u := s.newUser()
	path := at(u.create(object{"title": "t", "due_at": "2027-06-01T09:00:00Z"}).ID)
	mine := map[string]string{"Authorization": "Bearer " + u.token}
	sidecar := map[string]string{"dapr-api-token": appToken}
	id := uuid.NewString()
	const task = `{"title":"","tags":["a"],"due_at":"2027-06-01T09:00:00Z","reminders":[{"before_due":"PT1H"}],"recurrence":{"rrule":"FREQ=DAILY"}}`
	costtest.Run(t, s.base, costtest.Of(t, s.pid),
		costtest.Route{Method: http.MethodPost, Path: "/api/auth/register", Body: `{"email":"x","password":"long enough to pass"}`},
		costtest.Route{Method: http.MethodPost, Path: "/api/auth/login", Body: `{"email":"x","password":0}`},
		costtest.Route{Method: http.MethodPost, Path: "/api/auth/logout", Body: `{}`},
		costtest.Route{Method: http.MethodGet, Path: "/api/auth/me", Header: mine},
		costtest.Route{Method: http.MethodPatch, Path: "/api/auth/me", Body: `{"name":"x"}`, Header: mine},
		costtest.Route{Method: http.MethodGet, Path: "/api/tasks", Header: mine, Query: []string{"is_complete", "tag", "q", "cursor"}},
		costtest.Route{Method: http.MethodPost, Path: "/api/tasks", Body: task, Header: mine},
		costtest.Route{Method: http.MethodGet, Path: path, Header: mine},
		costtest.Route{Method: http.MethodPut, Path: path, Body: `{"title":"t","id":"` + id + `"}`, Header: mine},
		costtest.Route{Method: http.MethodPatch, Path: path, Body: task, Header: mine},
		costtest.Route{Method: http.MethodPatch, Path: path + "/complete", Body: `{"is_complete":true}`, Header: mine},
		costtest.Route{Method: http.MethodDelete, Path: "/api/tasks/" + id, Header: mine},
		costtest.Route{Method: http.MethodGet, Path: path + "/comments", Header: mine, Query: []string{"cursor"}},
		costtest.Route{Method: http.MethodPost, Path: path + "/comments", Body: `{"text":"x"}`, Header: mine},
		costtest.Route{Method: http.MethodPatch, Path: "/api/comments/" + id, Body: `{"text":"x"}`, Header: mine},
		costtest.Route{Method: http.MethodPost, Path: "/internal/occurrences", Body: `{"after_task_id":"` + id + `","due_at":"2027-06-02T09:00:00Z"}`, Header: sidecar},
		costtest.Route{Method: http.MethodPost, Path: "/api/auth/forgot", Body: `{"email":"x"}`},
		costtest.Route{Method: http.MethodPost, Path: "/api/auth/reset", Body: `{"token":"x","password":"long enough to pass"}`},
		costtest.Route{Method: http.MethodPost, Path: "/api/auth/verify", Body: `{"token":"x"}`},
		costtest.Route{Method: http.MethodPost, Path: "/api/auth/verify/resend", Body: `{"email":"x"}`},
		costtest.Route{Method: http.MethodPost, Path: "/internal/account-mails", Body: `{"mails":["` + id + `"]}`, Header: sidecar},
		costtest.Route{Method: http.MethodPost, Path: "/internal/reminders/check", Body: `{"reminders":[{"reminder_id":"` + id + `"}]}`, Header: sidecar},
	)
}
