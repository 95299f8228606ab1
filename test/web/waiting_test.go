package web

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A restore whose answer was lost is sent again, and finds nothing in the trash: it has been
// done, and needs nobody.
func TestARestoreWhoseAnswerWasLost(t *testing.T) {
	c, d := newUser(t), newDoor(t)
	id := create(t, c, object{"title": "Back"}).ID
	b := signInAt(t, d, c)
	b.click("link", "Inbox 1 open task")
	b.see("button", "Back")
	lost := map[string]int{}
	d.set(func() {
		d.lose = func(r *http.Request) bool {
			what := r.Method + " " + r.URL.Path
			if r.Method == http.MethodGet || lost[what] > 0 {
				return false
			}
			lost[what]++
			return true
		}
	})
	// Of a deletion whose answer is lost nobody knows the request, which would undo it.
	b.does(`await remove("Back")`)
	b.settled()
	b.press("u")
	b.see("button", "Back")
	b.settled()
	require.Equal(t, 2, d.sent("POST /api/trash/"+id+"/restore"))
	require.Zero(t, b.stored(`read("kept", (s) => s.count())`))
	require.Contains(t, rowsOf(t, c), "Back")
}
