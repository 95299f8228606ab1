package transport

import (
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// soon is how long an event may take to its effect when nothing fails.
const soon = 5 * time.Second

// create makes a task and waits for its audit entry, which has come by way of
// the broker and the consumer's sidecar. It says how long that took.
func create(t *testing.T, c *suite.Client, title string) time.Duration {
	t.Helper()
	started := time.Now()
	a, err := c.Do(t.Context(), http.MethodPost, "/api/tasks", map[string]string{"title": title})
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, a.Status, "%s", a.Body)
	var task event.Task
	require.NoError(t, a.JSON(&task))
	eventually(t, func() error {
		if n := audited(t, task); n != 1 {
			return fmt.Errorf("%d audit entries, not 1", n)
		}
		return nil
	})
	return time.Since(started)
}

func TestConsumersBehindDaprNoticeNothing(t *testing.T) {
	var c *suite.Client
	eventually(t, func() (err error) {
		c, err = s.Register(t.Context(), fmt.Sprintf("direct-%d@example.org", time.Now().UnixNano()), "Europe/Berlin")
		return err
	})
	create(t, c, "Over the direct way")

	var ready struct {
		Status string
		Checks map[string]string
	}
	eventually(t, func() error {
		a, err := (&suite.Client{Base: s.API}).Do(t.Context(), http.MethodGet, "/readyz", nil)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(a.Body, &ready); err != nil || ready.Status != "ready" {
			return fmt.Errorf("not ready: %s", a.Body)
		}
		return nil
	})
	require.Equal(t, "ok", ready.Checks["broker"])
	require.NotContains(t, ready.Checks, "sidecar")
}

func TestEventsDoNotWaitForTheOwnSidecar(t *testing.T) {
	var c *suite.Client
	eventually(t, func() (err error) {
		c, err = s.Register(t.Context(), fmt.Sprintf("alone-%d@example.org", time.Now().UnixNano()), "Europe/Berlin")
		return err
	})
	create(t, c, "With a sidecar")
	// Stopped, not killed: the runner would have another one up within a second.
	require.NoError(t, s.Signal("task-api-daprd", syscall.SIGSTOP))
	defer func() { require.NoError(t, s.Signal("task-api-daprd", syscall.SIGCONT)) }()
	for i := range 3 {
		require.Less(t, create(t, c, fmt.Sprint("Without ", i)), soon)
	}
}
