package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/services"
)

// A service that is said to be ready gets the events of every topic that its code
// handles: its sidecar is told of them, and lets them through.
func TestEveryServiceGetsItsEvents(t *testing.T) {
	all, err := services.Read(services.Root)
	require.NoError(t, err)
	u := s.newUser(t, "UTC")
	u.create(object{"title": "Told", "reminders": []object{{"at": "2020-01-01T00:00:00Z"}}})
	for _, service := range all {
		for _, topic := range service.Consumes {
			eventually(t, func() error {
				handled, _, err := s.Metric(t.Context(), service.ID, "taskwire_events_consumed_total", "topic", topic, "outcome", "handled")
				if err == nil && handled == 0 {
					err = errNotYet(service.ID + " has handled an event of " + topic)
				}
				return err
			})
		}
	}
}

// Who is named by no scope may not publish: its sidecar refuses.
func TestOnlyTaskAPIPublishes(t *testing.T) {
	for name, service := range s.described(t).Services {
		if name == "task-api" {
			continue
		}
		for _, topic := range event.Topics {
			url := fmt.Sprintf("http://127.0.0.1:%d/v1.0/publish/pubsub/%s", service.Sidecar.HTTPPort, topic)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader("{}"))
			require.NoError(t, err)
			req.Header.Set("dapr-api-token", service.DaprToken)
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, http.StatusForbidden, res.StatusCode, "%s on %s", name, topic)
		}
	}
}
