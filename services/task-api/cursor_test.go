package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// Whatever somebody makes up for a cursor, or for a time, is refused or answered: at none
// of the lists that there are is it a failure. One that is added is tried here, too.
func TestNoPlaceThatIsMadeUpIsAFailure(t *testing.T) {
	s := start(t)
	u := s.newUser()
	task := u.create(object{"title": "t", "due_at": "2027-06-01T09:00:00Z"})
	times := []string{
		"0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1900-01-01T00:00:00+14:00", "1900-01-01T00:00:00Z",
		"9000-12-31T23:59:59Z", "9000-12-31T23:59:59-14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "2027-05-10T12:00:00.9999999999Z",
	}
	values := []string{"null", "true", "-1", "0", "1e3", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1e300", `""`, `"x"`, `"\u0000"`, `"\ud800"`, `"-1"`, `"9223372036854775807"`, `"9223372036854775808"`, "[]", "{}"}
	for _, at := range times {
		values = append(values, fmt.Sprintf("%q", at))
	}
	made := func(members ...string) string {
		return base64.RawURLEncoding.EncodeToString([]byte("{" + strings.Join(members, ",") + "}"))
	}
	id := `"i":"` + uuid.NewString() + `"`
	require.Equal(t, http.StatusOK, u.do(http.MethodGet, "/api/snapshot", nil).status) // a copy of a database begins a log of its own
	var feed struct{ ID, Now string }
	require.NoError(t, s.db.NewRaw("SELECT id, floor::text AS now FROM task.feed_log").Scan(t.Context(), &feed))
	log := `"l":"` + feed.ID + `"`
	var cursors []string
	ofTasks := map[string][]string{} // by their order
	for _, v := range values {
		cursors = append(cursors, made(`"a":`+v, id), made(`"p":`+v, id), // behind a time, and behind a position
			made(log, `"x":`+v), made(log, `"x":`+v, id, `"k":"task"`, `"e":"`+uuid.NewString()+`"`), made(log, `"x":`+feed.Now, id, `"k":`+v)) // of the feed
		for _, column := range []string{"created_at", "updated_at", "due_at", "priority", "title", "position"} {
			for _, sort := range []string{column, "-" + column} {
				of := `"s":"` + sort + `"`
				ofTasks[sort] = append(ofTasks[sort], made(of, `"v":`+v, `"k":`+v, id), made(of, `"v":`+v, id), made(of, `"k":`+v, id))
			}
		}
	}
	tried, answered := map[string]bool{}, map[string]bool{}
	try := func(path, parameter, value, more string) {
		t.Helper()
		tried[path+" "+parameter] = true
		a := u.do(http.MethodGet, path+"?"+parameter+"="+url.QueryEscape(value)+more, nil)
		answered[parameter] = answered[parameter] || a.status == http.StatusOK
		require.Less(t, a.status, http.StatusInternalServerError, "%s?%s=%s%s: %s", path, parameter, value, more, a.body)
	}
	for _, op := range describedOperations(t, s) {
		if op.method != http.MethodGet || op.ID == "stream" || slices.Contains(elsewhere, op.ID) {
			continue
		}
		path := strings.ReplaceAll(op.path, "{id}", task.ID.String())
		for _, p := range op.Parameters {
			switch {
			case p.In != "query":
			case p.Name == "cursor" || p.Name == "since":
				for _, c := range cursors {
					try(path, p.Name, c, "")
				}
			case p.Schema.Format == "date-time":
				for _, at := range times {
					try(path, p.Name, at, "")
				}
			}
		}
	}
	for sort, cursors := range ofTasks {
		for _, c := range cursors {
			try("/api/tasks", "cursor", c, "&sort="+sort)
		}
	}
	require.GreaterOrEqual(t, len(tried), 10, "%v", tried)
	for _, parameter := range []string{"cursor", "since", "due_after"} {
		require.True(t, answered[parameter], "no %s was taken for one", parameter)
	}
}
