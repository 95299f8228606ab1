package e2e

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
)

// What docs/operations.md says, by which operators set max_connections, is what
// task-api has open when its users ask for more than they may, and no less than a
// consumer can: of its pool one front door takes a third.
func TestConnectionsToPostgresAreAsManyAsIsSaid(t *testing.T) {
	leaveOut(t)
	said := connectionsSaid(t)
	u, writers := s.newUser(t, "UTC"), []*user{s.newUser(t, "UTC"), s.newUser(t, "UTC")}
	task := u.create(object{"title": "asked for", "due_at": "2030-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	s.drained(t)
	for service, read := range map[string]struct {
		path, table string
		writers     []*user
		working     int
	}{
		"task-api":       {"/api/tasks", "task.tasks", writers, database.MaxConnections},
		"audit-log":      {"/api/tasks/" + task.ID.String() + "/history", "audit.entries", nil, database.MaxConnections / 3},
		"recurring-task": {"/api/tasks/" + task.ID.String() + "/occurrences", "recurring.occurrences", nil, database.MaxConnections / 3},
		"notification":   {"/api/notifications", "notification.notifications", nil, database.MaxConnections / 3},
	} {
		t.Run(service, func(t *testing.T) {
			login, err := url.Parse(s.Database.URLs[service])
			require.NoError(t, err)
			ask := func(u *user, method string, body any, status int) error {
				a, err := u.Do(t.Context(), method, read.path, body)
				if err == nil && a.Status != status {
					err = fmt.Errorf("%d %s", a.Status, a.Body)
				}
				return err
			}
			get := func() error { return ask(u, http.MethodGet, nil, http.StatusOK) }
			eventually(t, get) // it knows the keys of users' tokens, and who this one is
			release := s.hold(t, read.table, "ACCESS EXCLUSIVE")
			var asking sync.WaitGroup
			errs := make([]error, 8*(1+len(read.writers)))
			for i := range 8 {
				asking.Go(func() { errs[i] = get() })
				for j, w := range read.writers {
					asking.Go(func() { errs[8*(j+1)+i] = ask(w, http.MethodPost, object{"title": "more"}, http.StatusCreated) })
				}
			}
			eventually(t, func() error {
				waiting := s.query(t, `SELECT count(DISTINCT l.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
					WHERE NOT l.granted AND l.relation = $1::regclass AND a.usename = $2`, read.table, login.User.Username())
				open := s.query(t, "SELECT count(*) FROM pg_stat_activity WHERE usename = $1", login.User.Username())
				if waiting < read.working || open > said[service] || service == "task-api" && open != said[service] {
					return fmt.Errorf("%d connections are open, %d said; %d of the pool are at work", open, said[service], waiting)
				}
				return nil
			})
			release()
			asking.Wait()
			require.NoError(t, errors.Join(errs...))
		})
	}
}

// connectionsSaid reads the table of docs/operations.md: | service | connections | …
func connectionsSaid(t *testing.T) map[string]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "operations.md"))
	require.NoError(t, err)
	said := map[string]int{}
	for _, row := range regexp.MustCompile(`(?m)^\| (task-api|audit-log|recurring-task|notification) \| ([0-9]+) \|`).FindAllStringSubmatch(string(text), -1) {
		said[row[1]], err = strconv.Atoi(row[2])
		require.NoError(t, err)
	}
	require.Len(t, said, 4)
	return said
}
