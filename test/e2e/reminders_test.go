package e2e

import (
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

func TestAnOutageAcrossTheDueMinute(t *testing.T) {
	stop := func(t *testing.T, processes []string, end time.Time) {
		for _, p := range processes {
			require.NoError(t, s.Signal(p, syscall.SIGSTOP))
		}
		until(t, end)
		for _, p := range processes {
			require.NoError(t, s.Signal(p, syscall.SIGCONT))
		}
	}
	// Each time that it comes back it dies again.
	killAgain := func(t *testing.T, processes []string, end time.Time) {
		for time.Now().Before(end) {
			for _, p := range processes {
				_ = s.Signal(p, syscall.SIGKILL) // it may not be back yet
			}
			time.Sleep(20 * time.Millisecond) // the pace of the killing
		}
	}
	for name, outage := range map[string]struct {
		processes []string
		hold      func(t *testing.T, processes []string, end time.Time)
	}{
		"of what schedules":               {[]string{"task-api"}, stop},
		"of what delivers":                {[]string{"notification", "notification-daprd"}, stop},
		"of what schedules, by its death": {[]string{"task-api"}, killAgain},
		"of what delivers, by its death":  {[]string{"notification", "notification-daprd"}, killAgain},
	} {
		t.Run(name, func(t *testing.T) {
			u := s.newUser(t, "UTC")
			at := time.Now().Add(2 * time.Second)
			task := u.create(object{"title": "On time", "reminders": []object{{"at": at}}})
			outage.hold(t, outage.processes, at.Add(time.Second))
			got := u.delivered(1)[0]
			require.GreaterOrEqual(t, got.LateMS, int64(1000), "its lateness is recorded")
			require.Less(t, got.LateMS, int64(30_000), "it comes soon after the recovery")
			eventually(t, func() error { // by mail too, which is sent after it
				if s.query(t, "SELECT count(*) FROM notification.deliveries WHERE task_id = $1 AND state = 'sent' AND lateness_ms >= 1000", task.ID) != 2 {
					return errNotYet("the mail")
				}
				return nil
			})
			s.drained(t)
			u.delivered(1)
		})
	}
}

func TestTwoRemindersOfOneTask(t *testing.T) {
	u := s.newUser(t, "UTC")
	soon := time.Now().Add(time.Second)
	u.create(object{"title": "Twice", "due_at": soon.Add(time.Minute), "reminders": []object{{"before_due": "PT1M"}, {"at": soon.Add(time.Second)}}})
	u.delivered(2)
}

func TestAReminderOfThePastFiresAtOnce(t *testing.T) {
	u := s.newUser(t, "UTC")
	u.create(object{"title": "Late", "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
	u.delivered(1)
}

// The reminder has become an event when its task changes: notification is
// stopped meanwhile, and finds the event when it goes on.
func TestNothingIsDeliveredForWhatNoLongerStands(t *testing.T) {
	for name, change := range map[string]func(*user, event.Task){
		"completed": func(u *user, task event.Task) { u.complete(task) },
		"deleted": func(u *user, task event.Task) {
			must[any](u, http.StatusNoContent, http.MethodDelete, "/api/tasks/"+task.ID.String(), nil)
		},
		"moved": func(u *user, task event.Task) {
			must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String(), object{"due_at": time.Now().Add(24 * time.Hour)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			u := s.newUser(t, "UTC")
			require.NoError(t, s.Signal("notification", syscall.SIGSTOP))
			task := u.create(object{"title": name, "due_at": time.Now().Add(time.Minute), "reminders": []object{{"before_due": "PT2M"}}})
			fired := "SELECT count(*) FROM task.events WHERE topic = 'reminders' AND key = $1"
			eventually(t, func() error {
				if s.query(t, fired, task.ID.String()) == 0 {
					return errNotYet("fired")
				}
				return nil
			})
			change(u, task)
			require.NoError(t, s.Signal("notification", syscall.SIGCONT))
			eventually(t, func() error {
				if s.query(t, "SELECT count(*) FROM notification.deliveries WHERE task_id = $1 AND state = 'cancelled'", task.ID) < 1 {
					return errNotYet("cancelled")
				}
				return nil
			})
			require.Empty(t, u.mails())
			require.Empty(t, u.notifications())
		})
	}
}
