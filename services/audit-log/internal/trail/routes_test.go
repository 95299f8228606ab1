package trail_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/page"
)

func none() {}

func TestTheListIsTheCallersOwnAndLatestFirst(t *testing.T) {
	s := newService(t)
	ada, bob, task := uuid.New(), uuid.New(), uuid.New()
	var mine []change
	for i := range 25 {
		// Three at each moment: the sequence decides between them.
		mine = append(mine, newChange(ada, task, "task.updated", -time.Duration(i/3)*time.Minute))
	}
	// As a producer other than the log might write them: nothing but the id differs.
	for range 3 {
		c := newChange(ada, task, "task.updated", time.Hour)
		c.sequence = 0
		mine = append([]change{c}, mine...)
	}
	slices.SortFunc(mine[:3], func(a, b change) int { return strings.Compare(a.id.String(), b.id.String()) })
	s.keep(mine...)
	s.keep(newChange(bob, uuid.New(), "task.created", 0))

	want := idsOf(mine...)
	slices.Reverse(want)
	for _, limit := range []string{"1", "7", "28", "200"} {
		between := func() { s.keep(newChange(ada, task, "task.updated", -24*time.Hour)) } // before the first page
		got := s.all(ada, "/api/audit?to=2027-01-05T00:00:00Z&limit="+limit, between)
		require.Equal(t, want, got, "by pages of %s, while entries come in", limit)
	}
	require.Len(t, s.all(bob, "/api/audit", none), 1)
	var p answered
	s.get(uuid.New(), "/api/audit", http.StatusOK, &p)
	require.NotNil(t, p.Items)
	require.Empty(t, p.Items)
}

func TestFilters(t *testing.T) {
	s := newService(t)
	ada, one, other := uuid.New(), uuid.New(), uuid.New()
	created := newChange(ada, one, "task.created", 3*time.Hour)
	updated := newChange(ada, one, "task.updated", 2*time.Hour)
	elsewhere := newChange(ada, other, "task.updated", time.Hour)
	account := newChange(ada, uuid.Nil, "user.updated", 0)
	s.keep(created, updated, elsewhere, account)
	for query, want := range map[string][]change{
		"":                        {account, elsewhere, updated, created},
		"action=task.updated":     {elsewhere, updated},
		"action=task":             {},
		"task_id=" + one.String(): {updated, created},
		"task_id=" + strings.ToUpper(one.String()):                                 {updated, created},
		"task_id=" + uuid.NewString():                                              {},
		"task_id=" + uuid.Nil.String():                                             {},
		"from=2027-01-04T08:00:00Z":                                                {account, elsewhere, updated},
		"to=2027-01-04T08:00:00Z":                                                  {created},
		"from=2027-01-04T08:00:00Z&to=2027-01-04T09:00:00Z":                        {updated},
		"from=2027-01-04T10:00:00%2B01:00":                                         {account, elsewhere},
		"from=2027-01-04T09:00:00Z&to=2027-01-04T08:00:00Z":                        {},
		"task_id=" + one.String() + "&action=task.updated&to=2028-01-01T00:00:00Z": {updated},
		"action=" + url.QueryEscape("'; DROP TABLE audit.entries; --"):             {},
	} {
		require.Equal(t, idsOf(want...), append([]string{}, s.all(ada, "/api/audit?limit=1&"+query, none)...), query)
	}
}

func TestATasksHistoryIsEarliestFirst(t *testing.T) {
	s := newService(t)
	ada, bob, task := uuid.New(), uuid.New(), uuid.New()
	first := newChange(ada, task, "task.created", 2*time.Hour)
	second := newChange(ada, task, "task.updated", time.Hour)
	third := newChange(ada, task, "task.completed", time.Hour) // in the same moment, later in the log
	s.keep(third, first, second)
	s.keep(newChange(ada, uuid.New(), "task.created", 0), newChange(bob, uuid.New(), "task.created", 0))
	path := "/api/tasks/" + task.String() + "/history"
	require.Equal(t, idsOf(first, second, third), s.all(ada, path, none))
	require.Equal(t, idsOf(first, second, third), s.all(ada, path+"?limit=1", none))
	require.Equal(t, idsOf(second, third), s.all(ada, path+"?from=2027-01-04T09:00:00Z", none))
	require.Equal(t, idsOf(third), s.all(ada, path+"?action=task.completed", none))
	require.Empty(t, s.all(ada, path+"?action=task.deleted", none), "a history that a filter leaves empty is still there")

	for name, k := range map[string]struct {
		user uuid.UUID
		task uuid.UUID
	}{"another's task": {bob, task}, "no such task": {ada, uuid.New()}, "the nil id": {ada, uuid.Nil}} {
		t.Run(name, func(t *testing.T) {
			var p httpapi.Problem
			s.get(k.user, "/api/tasks/"+k.task.String()+"/history", http.StatusNotFound, &p)
			require.Equal(t, "there is no such task", p.Detail)
		})
	}
}

func TestABadParameterIsNamed(t *testing.T) {
	s := newService(t)
	ada, task := uuid.New(), uuid.New()
	s.keep(newChange(ada, task, "task.created", 0))
	parameters := map[string]string{
		"limit=0": "query.limit", "limit=201": "query.limit", "limit=-1": "query.limit", "limit=ten": "query.limit", "limit=1.5": "query.limit",
		"limit=99999999999999999999": "query.limit", "limit=%00": "query.limit",
		"action=%00": "query.action", "action=%ff": "query.action", "action=" + strings.Repeat("x", 101): "query.action",
		"from=yesterday": "query.from", "from=2027-01-04": "query.from", "from=2027-02-30T00:00:00Z": "query.from", "from=%00": "query.from",
		"from=0001-01-01T00:00:00Z": "query.from", "to=0001-01-01T00:00:00Z": "query.to", "to=9999-12-31T23:59:59Z": "query.to", "to=1": "query.to",
		"to=99999-01-01T00:00:00Z": "query.to", "from=2027-01-04T10:00:00+01:00": "query.from", "from=%ff": "query.from",
		"cursor=x": "query.cursor", "cursor=%00": "query.cursor", "cursor=%ff": "query.cursor", "cursor=WzFd": "query.cursor", "cursor=bnVsbA": "query.cursor",
		"cursor=e30": "query.cursor", "cursor=" + strings.Repeat("A", 501): "query.cursor",
		"cursor=" + cursor(t, map[string]any{"a": "2027-01-04T10:00:00Z", "s": "\x00", "i": uuid.Nil}):   "query.cursor",
		"cursor=" + cursor(t, map[string]any{"a": "2027-01-04T10:00:00Z", "s": "1", "i": "7"}):           "query.cursor",
		"cursor=" + cursor(t, map[string]any{"a": "0000-01-01T00:00:00Z", "s": "1", "i": uuid.Nil}):      "query.cursor",
		"cursor=" + cursor(t, map[string]any{"a": "0001-01-01T00:00:00+14:00", "s": "1", "i": uuid.Nil}): "query.cursor",
		"cursor=" + cursor(t, map[string]any{"a": "9999-12-31T10:00:00Z", "s": "1", "i": uuid.Nil}):      "query.cursor",
		"cursor=" + cursor(t, map[string]any{"a": 1e300, "s": "1", "i": uuid.Nil}):                       "query.cursor",
		"page=2": "query.page", "user_id=" + uuid.NewString(): "query.user_id",
		"action=%zz": "query", "limit=5&%zz=1": "query",
	}
	for _, path := range []string{"/api/audit", "/api/tasks/" + task.String() + "/history"} {
		for query, location := range parameters {
			t.Run(path[:10]+"?"+query, func(t *testing.T) {
				s := &service{t: t, router: s.router}
				var p httpapi.Problem
				s.get(ada, path+"?"+query, http.StatusUnprocessableEntity, &p)
				require.NotEmpty(t, p.Errors)
				require.Equal(t, location, p.Errors[0].Location)
				require.NotEmpty(t, p.Errors[0].Message)
			})
		}
	}
	for path, location := range map[string]string{
		"/api/audit?task_id=1": "query.task_id", "/api/audit?task_id=%00": "query.task_id", "/api/audit?task_id=%ff": "query.task_id",
		"/api/audit?task_id=" + strings.Repeat("0", 500): "query.task_id",
		"/api/tasks/1/history":                           "path.id", "/api/tasks/%00/history": "path.id", "/api/tasks/%ff/history": "path.id",
		"/api/tasks/%F0%9F%90%88/history":                                   "path.id",
		"/api/tasks/" + strings.Repeat("0", 500) + "/history":               "path.id",
		"/api/tasks/" + task.String() + "%20/history":                       "path.id",
		"/api/tasks/" + task.String() + "/history?task_id=" + task.String(): "query.task_id",
		"/api/audit?list_id=1":                                              "query.list_id", "/api/audit?list_id=%00": "query.list_id", "/api/audit?list_id=": "query.list_id",
		"/api/audit?list_id=" + uuid.NewString(): "query.list_id", "/api/audit?list_id=" + uuid.Nil.String(): "query.list_id",
		"/api/tasks/" + task.String() + "/history?list_id=" + task.String(): "query.list_id",
	} {
		t.Run(path[:min(len(path), 40)], func(t *testing.T) {
			s := &service{t: t, router: s.router}
			var p httpapi.Problem
			s.get(ada, path, http.StatusUnprocessableEntity, &p)
			require.NotEmpty(t, p.Errors)
			require.Equal(t, location, p.Errors[0].Location)
		})
	}
}

func cursor(t *testing.T, v any) string {
	c, err := page.EncodeCursor(v)
	require.NoError(t, err)
	return c
}

// A page of 200 entries with long descriptions was 12 MiB.
func TestAPageIsBoundedInBytes(t *testing.T) {
	s := newService(t)
	ada, task := uuid.New(), uuid.New()
	text, err := json.Marshal(map[string]string{"description": strings.Repeat("\x01", 9000)}) // 54 kB as JSON, a sixth of it as text
	require.NoError(t, err)
	var changes []change
	for i := range 120 {
		c := newChange(ada, task, "task.updated", -time.Duration(i)*time.Minute)
		c.data.After = text
		changes = append(changes, c)
	}
	s.keep(changes...)
	want := idsOf(changes...)
	require.Equal(t, want, s.all(ada, "/api/tasks/"+task.String()+"/history?limit=200", none))
	var p answered
	s.get(ada, "/api/tasks/"+task.String()+"/history?limit=200", http.StatusOK, &p)
	raw, err := json.Marshal(p)
	require.NoError(t, err)
	require.Less(t, len(raw), page.Bytes+10_000)
	require.NotNil(t, p.NextCursor)
	slices.Reverse(want)
	require.Equal(t, want, s.all(ada, "/api/audit?limit=200", none))
}
