package e2e

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

func TestTheNextOccurrence(t *testing.T) {
	for _, c := range []struct {
		name string
		zone string
		due  string
		task object // further fields
		rule object
		next []string // due times of what follows, one completion after another
	}{
		{"wall time is kept over DST", "Europe/Berlin", "2027-03-27T09:00:00+01:00", nil,
			object{"rrule": "FREQ=DAILY"}, []string{"2027-03-28T07:00:00Z"}},
		{"a time in a gap moves on by the gap, once", "Europe/Berlin", "2027-03-27T02:30:00+01:00", nil,
			object{"rrule": "FREQ=DAILY"}, []string{"2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"}},
		{"a time that exists twice happens once, the first time", "Europe/Berlin", "2027-10-30T02:30:00+02:00", nil,
			object{"rrule": "FREQ=DAILY"}, []string{"2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"}},
		{"an all-day task has a date, not a midnight", "America/Santiago", "2027-09-04T00:00:00-04:00", object{"all_day": true},
			object{"rrule": "FREQ=DAILY"}, []string{"2027-09-05T04:00:00Z", "2027-09-06T03:00:00Z"}},
		{"month ends clamp and do not drift", "UTC", "2027-01-31T10:00:00Z", nil,
			object{"rrule": "FREQ=MONTHLY", "month_end": "clamp"},
			[]string{"2027-02-28T10:00:00Z", "2027-03-31T10:00:00Z", "2027-04-30T10:00:00Z", "2027-05-31T10:00:00Z"}},
		{"month ends are skipped", "UTC", "2027-01-31T10:00:00Z", nil,
			object{"rrule": "FREQ=MONTHLY", "month_end": "skip"}, []string{"2027-03-31T10:00:00Z", "2027-05-31T10:00:00Z"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := s.newUser(t, c.zone)
			task := object{"title": c.name, "due_at": c.due, "recurrence": c.rule}
			for k, v := range c.task {
				task[k] = v
			}
			last := u.create(task)
			for _, want := range c.next {
				u.complete(last)
				last = u.next(last)
				require.Equal(t, want, last.DueAt.UTC().Format(time.RFC3339))
			}
			require.Len(t, u.series(last), len(c.next)+1)
		})
	}
}

func TestLateBySeveralCycles(t *testing.T) {
	u := s.newUser(t, "UTC")
	due := time.Now().UTC().Truncate(time.Second).AddDate(0, 0, -23)
	task := u.create(object{"title": "Weekly report", "due_at": due, "recurrence": object{"rrule": "FREQ=WEEKLY", "missed": "collapse"}})
	u.complete(task)
	require.Equal(t, due.AddDate(0, 0, 28), u.next(task).DueAt.UTC())
	u.ledger(task, "open", "missed", "missed", "missed", "done")
}

func TestAfterCompletionTheIntervalCountsFromIt(t *testing.T) {
	u := s.newUser(t, "Europe/Berlin")
	task := u.create(object{"title": "Change the filter", "due_at": "2026-01-05T09:00:00+01:00", "recurrence": object{"rrule": "FREQ=DAILY;INTERVAL=30", "basis": "completion"}})
	done := u.complete(task)
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	at := done.CompletedAt.In(berlin)
	want := time.Date(at.Year(), at.Month(), at.Day()+30, 9, 0, 0, 0, berlin)
	require.Equal(t, want.UTC(), u.next(task).DueAt.UTC())
}

func TestCompletedTwiceOneNextOccurrence(t *testing.T) {
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Daily", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	path := "/api/tasks/" + task.ID.String() + "/complete"
	answers := make(chan int, 2)
	for range 2 {
		go func() {
			a, err := u.Do(t.Context(), http.MethodPatch, path, object{"is_complete": true})
			if err != nil {
				answers <- 0
				return
			}
			answers <- a.Status
		}()
	}
	require.Equal(t, http.StatusOK, <-answers)
	require.Equal(t, http.StatusOK, <-answers)
	next := u.next(task)
	// Reopened, it is taken back; completed once more, it is there again.
	must[event.Task](u, http.StatusOK, http.MethodPatch, path, object{"is_complete": false})
	must[event.Task](u, http.StatusOK, http.MethodPatch, path, object{"is_complete": true})
	u.history(task, 4)
	s.drained(t)
	require.Len(t, u.series(task), 2)
	require.Equal(t, next.ID, u.next(task).ID)
}

func TestTheNextOccurrenceStartsClean(t *testing.T) {
	u := s.newUser(t, "Europe/Berlin")
	task := u.create(object{"title": "Pack", "due_at": "2027-03-27T09:00:00+01:00", "recurrence": object{"rrule": "FREQ=DAILY"}, "reminders": []object{{"before_due": "PT1H"}}})
	sub := u.create(object{"title": "Socks", "parent_id": task.ID})
	u.complete(sub)
	u.complete(task)
	next := u.next(task)
	require.Len(t, next.Reminders, 1)
	require.NotEqual(t, task.Reminders[0].ID, next.Reminders[0].ID)
	subtasks := must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks?parent_id="+next.ID.String(), nil).Items
	require.Len(t, subtasks, 1)
	require.False(t, subtasks[0].IsComplete)
	require.Equal(t, "Socks", subtasks[0].Title)
	require.True(t, must[event.Task](u, http.StatusOK, http.MethodGet, "/api/tasks/"+task.ID.String(), nil).IsComplete)
	armed := s.query(t, "SELECT count(*) FROM task.reminders WHERE task_id = $1 AND armed AND remind_at = '2027-03-28T06:00:00Z'", next.ID)
	require.Equal(t, 1, armed, "re-armed against the new due time")
}

func TestCountEndsASeries(t *testing.T) {
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Twice", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY;COUNT=2"}})
	u.complete(task)
	last := u.next(task)
	u.complete(last)
	u.history(last, 2)
	s.drained(t)
	require.Len(t, u.series(task), 2)
}

func TestAPreviewExplainsItsDates(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	got := must[struct {
		Occurrences []struct {
			DueAt time.Time `json:"due_at"`
			Note  string    `json:"note"`
		} `json:"occurrences"`
	}](u, http.StatusOK, http.MethodPost, "/api/recurrence/preview", object{
		"rrule": "FREQ=DAILY", "due_at": "2027-03-27T02:30:00+01:00", "timezone": "Europe/Berlin", "count": 2,
	})
	require.Equal(t, "2027-03-28T01:30:00Z", got.Occurrences[0].DueAt.Format(time.RFC3339))
	require.Contains(t, got.Occurrences[0].Note, "DST gap")
	bad, err := u.Do(t.Context(), http.MethodPost, "/api/recurrence/preview", object{"rrule": "FREQ=SECONDLY", "due_at": "2027-03-27T02:30:00+01:00", "timezone": "Europe/Berlin"})
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, bad.Status)
	require.Contains(t, string(bad.Body), "body.rrule")
}

func TestADeletedOccurrenceStaysDeleted(t *testing.T) {
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Daily", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	u.complete(task)
	next := u.next(task)
	must[any](u, http.StatusNoContent, http.MethodDelete, "/api/tasks/"+next.ID.String(), nil)
	u.ledger(task, "ended", "done")
	must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String()+"/complete", object{"is_complete": false})
	u.complete(task)
	require.Equal(t, "2027-06-03T09:00:00", *u.next(task).Occurrence, "taken up again, it goes on behind what was deleted")
	u.ledger(task, "open", "ended", "done")
}

func TestSkipAndReopen(t *testing.T) {
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Daily", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"}})
	second := must[event.Task](u, http.StatusOK, http.MethodPost, "/api/tasks/"+task.ID.String()+"/skip", nil)
	require.Equal(t, "2027-06-02T09:00:00", *second.Occurrence)
	u.complete(second)
	third := u.next(second)
	u.ledger(second, "open", "done", "skipped")
	must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+second.ID.String()+"/complete", object{"is_complete": false})
	u.ledger(second, "open", "skipped")
	u.complete(second)
	require.Equal(t, third.ID, u.next(second).ID)
	u.ledger(second, "open", "done", "skipped")
	s.drained(t)
	require.Len(t, u.series(second), 2)
}

func TestTheFollowingOnesAreMoved(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "Europe/Berlin")
	task := u.create(object{"title": "Daily", "due_at": "2027-06-01T09:00:00+02:00", "recurrence": object{"rrule": "FREQ=DAILY;COUNT=3"}})
	u.complete(task)
	second := u.next(task)
	moved := must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+second.ID.String()+"?scope=following", object{"due_at": "2027-06-03T18:00:00+02:00"})
	require.Equal(t, "2027-06-03T18:00:00", moved.Recurrence.Anchor)
	u.complete(moved)
	third := u.next(moved)
	require.Equal(t, "2027-06-04T18:00:00", *third.Occurrence)
	u.complete(third)
	u.ledger(task, "done", "done", "done")
	s.drained(t)
	require.Len(t, u.series(task), 3)
}

func TestAMovedTaskIsFollowedByALaterOne(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "Weekly", "due_at": "2030-01-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
	moved := must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String(), object{"due_at": "2030-01-20T18:00:00Z"})
	u.complete(moved)
	require.Equal(t, "2030-01-22T09:00:00Z", u.next(task).DueAt.UTC().Format(time.RFC3339), "the first on the schedule after the due time it had")
}

func TestARecurrenceIsMergePatched(t *testing.T) {
	leaveOut(t)
	u := s.newUser(t, "UTC")
	task := u.create(object{"title": "x", "due_at": "2027-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY", "basis": "completion", "missed": "all"}})
	patched := must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String(), object{"recurrence": object{"rrule": "FREQ=WEEKLY;INTERVAL=2"}})
	require.Equal(t, "completion", patched.Recurrence.Basis)
	require.Equal(t, "all", patched.Recurrence.Missed)
	require.Equal(t, "FREQ=WEEKLY;INTERVAL=2", patched.Recurrence.RRule)
	again := must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String(), object{"recurrence": object{"basis": nil}})
	require.Equal(t, "due", again.Recurrence.Basis, "null is the default")
	require.Nil(t, must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String(), object{"recurrence": nil}).Recurrence)
}

// A subtask that recurs was done three times under its parent: it goes on under the next.
func TestARecurringSubtaskGoesAlong(t *testing.T) {
	u := s.newUser(t, "UTC")
	parent := u.create(object{"title": "Weekly", "due_at": "2030-06-07T09:00:00Z", "recurrence": object{"rrule": "FREQ=WEEKLY"}})
	sub := u.create(object{"title": "Daily", "due_at": "2030-06-01T09:00:00Z", "parent_id": parent.ID, "recurrence": object{"rrule": "FREQ=DAILY"}})
	for range 3 {
		u.complete(sub)
		sub = u.next(sub)
	}
	u.complete(parent)
	next := u.next(parent)
	subtasks := must[page[event.Task]](u, http.StatusOK, http.MethodGet, "/api/tasks?parent_id="+next.ID.String(), nil).Items
	require.Len(t, subtasks, 1)
	require.Equal(t, sub.ID, subtasks[0].ID)
	require.False(t, subtasks[0].IsComplete)
}
