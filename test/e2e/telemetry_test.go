package e2e

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/test/suite"
)

// span is what a service has told of one.
type span struct {
	service, name, id, parent string
	attributes                map[string]string
}

// traces collects spans as an OpenTelemetry collector does: OTLP over HTTP.
type traces struct {
	mu    sync.Mutex
	spans map[string][]span // by trace id
}

func newTraces(t *testing.T) (got *traces, endpoint string) {
	t.Helper()
	got = &traces{spans: map[string][]span{}}
	server := httptest.NewServer(got)
	t.Cleanup(server.Close)
	return got, server.URL
}

func (c *traces) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	raw, err := io.ReadAll(body)
	var request collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(raw, &request) != nil {
		http.Error(w, "not what a collector takes", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, resource := range request.GetResourceSpans() {
		service := ""
		for _, a := range resource.GetResource().GetAttributes() {
			if a.GetKey() == "service.name" {
				service = a.GetValue().GetStringValue()
			}
		}
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				one := span{service, s.GetName(), hex.EncodeToString(s.GetSpanId()), hex.EncodeToString(s.GetParentSpanId()), map[string]string{}}
				for _, a := range s.GetAttributes() {
					one.attributes[a.GetKey()] = cmp.Or(a.GetValue().GetStringValue(), a.GetValue().String())
				}
				trace := hex.EncodeToString(s.GetTraceId())
				c.spans[trace] = append(c.spans[trace], one)
			}
		}
	}
}

// has waits until a trace has spans of these names, "service: name" each, and
// returns all of it.
func (c *traces) has(t *testing.T, trace string, names ...string) []span {
	t.Helper()
	var all []span
	eventually(t, func() error {
		c.mu.Lock()
		defer c.mu.Unlock()
		all = slices.Clone(c.spans[trace])
		seen := map[string]bool{}
		for _, s := range all {
			seen[s.service+": "+s.name] = true
		}
		for _, name := range names {
			if !seen[name] {
				return fmt.Errorf("no %q in %v", name, seen)
			}
		}
		return nil
	})
	return all
}

// A trace leads from the request to all that follows from it, under the
// caller's id.
func TestOneTraceFromARequestToItsMail(t *testing.T) {
	leaveOut(t)
	t.Parallel()
	got, endpoint := newTraces(t)
	s, _ := ownSuite(t, newDir(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint, "OTEL_BSP_SCHEDULE_DELAY=100")
	u := s.newUser(t, "UTC")
	const creation, completion = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736"
	task := must[event.Task](u, http.StatusCreated, http.MethodPost, "/api/tasks",
		object{
			"title": "Traced", "due_at": "2030-06-01T09:00:00Z", "recurrence": object{"rrule": "FREQ=DAILY"},
			"reminders": []object{{"at": "2020-01-01T00:00:00Z"}},
		}, "traceparent", "00-"+creation+"-b7ad6b7169203331-01")
	spans := got.has(t, creation,
		"task-api: POST /api/tasks", "task-api: BEGIN", "task-api: INSERT task.tasks", "task-api: COMMIT",
		"task-api: publish task-events", "task-api: publish audit-logs", "task-api: publish reminders",
		"audit-log: process audit-logs", "audit-log: WITH audit.inbox",
		"recurring-task: process task-events", "notification: process reminders",
		"notification: INSERT notification.deliveries", "notification: deliver in_app", "notification: deliver email",
	)
	for _, s := range spans {
		if s.name == "POST /api/tasks" {
			require.Equal(t, "b7ad6b7169203331", s.parent)
			require.Equal(t, "/api/tasks", s.attributes["http.route"])
			require.Len(t, s.attributes, 3, "method and status beside, and nothing of who asked: %v", s.attributes)
		}
		for name, value := range s.attributes {
			require.NotContains(t, value, u.Email, "%s of %s", name, s.name)
			require.NotContains(t, value, "Traced", "%s of %s", name, s.name)
		}
	}
	// Of a completion follows the next task: by the internal route, in the same trace.
	must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+task.ID.String()+"/complete",
		object{"is_complete": true}, "traceparent", "00-"+completion+"-b7ad6b7169203331-01")
	got.has(t, completion, "task-api: PATCH /api/tasks/{id}/complete", "recurring-task: process task-events",
		"task-api: POST /internal/occurrences", "audit-log: WITH audit.inbox")

	// What nobody asked to have recorded is not, and has its id all the same.
	const quiet = "7bf92f3577b34da6a3ce929d0e0e4736"
	unseen := must[event.Task](u, http.StatusCreated, http.MethodPost, "/api/tasks", object{"title": "Quiet"}, "traceparent", "00-"+quiet+"-b7ad6b7169203331-00")
	require.Equal(t, quiet, u.history(unseen, 1)[0].TraceID)
	must[event.Task](u, http.StatusOK, http.MethodPatch, "/api/tasks/"+unseen.ID.String(),
		object{"title": "Seen"}, "traceparent", "00-8bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-01")
	got.has(t, "8bf92f3577b34da6a3ce929d0e0e4736", "audit-log: WITH audit.inbox")
	got.mu.Lock()
	unwanted := got.spans[quiet]
	got.mu.Unlock()
	require.Empty(t, unwanted)

	secretsOfMailsAreNowhere(t, s, got)
}

// metric waits until a metric has a value.
func (s world) metric(t *testing.T, want float64, service, name string, labels ...string) {
	t.Helper()
	eventually(t, func() error {
		value, known, err := s.Metric(t.Context(), service, name, labels...)
		if err != nil {
			return err
		}
		if !known || value != want {
			return fmt.Errorf("%s%v of %s is %v (known: %v), not %v", name, labels, service, value, known, want)
		}
		return nil
	})
}

// Each metric has its value after a load that is known; and the logs of all of
// it name nobody.
func TestTheMetricsOfAKnownLoad(t *testing.T) {
	leaveOut(t)
	t.Parallel()
	s, _ := ownSuite(t, newDir(t))
	u := s.newUser(t, "UTC")
	const tasks, reminders = 12, 3
	created := make([]event.Task, tasks)
	for i := range created {
		task := object{"title": fmt.Sprint("Secret plan ", i)}
		if i < reminders {
			task["reminders"] = []object{{"at": "2020-01-01T00:00:00Z"}}
		}
		created[i] = u.create(task)
	}
	// Two without reminders: a mail that is on its way is not for a task that is done.
	u.complete(created[tasks-1])
	u.complete(created[tasks-2])
	a, err := u.Do(t.Context(), http.MethodPost, "/api/tasks", object{"title": ""})
	require.NoError(t, err)
	require.Equal(t, http.StatusUnprocessableEntity, a.Status)
	s.drained(t)
	u.delivered(reminders)
	of := func(topic string) float64 {
		return float64(s.query(t, "SELECT count(*) FROM task.events WHERE topic = $1", topic))
	}

	s.metric(t, tasks, "task-api", "taskwire_http_request_seconds", "method", "POST", "route", "/api/tasks", "status", "2xx")
	s.metric(t, 1, "task-api", "taskwire_http_request_seconds", "method", "POST", "route", "/api/tasks", "status", "4xx")
	s.metric(t, 2, "task-api", "taskwire_http_request_seconds", "method", "PATCH", "route", "/api/tasks/{id}/complete", "status", "2xx")
	for _, topic := range event.Topics {
		s.metric(t, of(topic), "task-api", "taskwire_events_published_total", "topic", topic)
		s.metric(t, 0, "task-api", "taskwire_event_publish_failures_total", "topic", topic)
		s.metric(t, 0, "task-api", "taskwire_event_log_depth", "topic", topic)
		s.metric(t, 0, "task-api", "taskwire_event_log_oldest_age_seconds", "topic", topic)
	}
	s.metric(t, reminders, "task-api", "taskwire_reminder_fired_late_seconds")
	s.metric(t, 0, "task-api", "taskwire_reminder_overdue_seconds")
	s.metric(t, of(event.TopicAudit), "audit-log", "taskwire_events_consumed_total", "type", "audit", "outcome", "handled")
	s.metric(t, of(event.TopicAudit), "audit-log", "taskwire_consumer_lag_seconds", "topic", event.TopicAudit)
	for _, consumer := range []string{"recurring-task", "notification"} {
		s.metric(t, tasks, consumer, "taskwire_events_consumed_total", "type", event.TaskCreated, "outcome", "handled")
		s.metric(t, 2, consumer, "taskwire_events_consumed_total", "type", event.TaskCompleted, "outcome", "handled")
		s.metric(t, of(event.TopicTasks), consumer, "taskwire_consumer_lag_seconds", "topic", event.TopicTasks)
	}
	for _, channel := range []string{"email", "in_app"} {
		s.metric(t, reminders, "notification", "taskwire_deliveries_total", "channel", channel, "state", "sent")
		s.metric(t, reminders, "notification", "taskwire_delivery_lateness_seconds", "channel", channel)
	}
	published, _, err := s.Metric(t.Context(), "task-api", "taskwire_event_published_timestamp_seconds", "topic", event.TopicAudit)
	require.NoError(t, err)
	handled, _, err := s.Metric(t.Context(), "audit-log", "taskwire_event_handled_timestamp_seconds", "topic", event.TopicAudit)
	require.NoError(t, err)
	require.GreaterOrEqual(t, handled, published-0.001, "nothing is behind")

	// The same record again, and one that is no event.
	var again suite.Record
	require.NoError(t, s.Read(t.Context(), event.TopicAudit, func(r suite.Record) bool { again = r; return true }))
	require.NoError(t, s.Produce(t.Context(), event.TopicAudit, again.Key, again.Value))
	require.NoError(t, s.Produce(t.Context(), event.TopicAudit, "k", []byte("no event")))
	s.metric(t, 1, "audit-log", "taskwire_events_consumed_total", "outcome", "duplicate")
	s.metric(t, 1, "audit-log", "taskwire_events_consumed_total", "outcome", "dead_letter")
	s.metric(t, 1, "audit-log", "taskwire_dead_letters_open")

	// A consumer that can not do its work tries again.
	s.execute(t, "ALTER TABLE audit.entries RENAME TO entries_away")
	u.create(object{"title": "Secret and late"})
	eventually(t, func() error {
		value, _, err := s.Metric(t.Context(), "audit-log", "taskwire_events_consumed_total", "outcome", "retry")
		if err == nil && value == 0 {
			err = errNotYet("no retry")
		}
		return err
	})
	s.execute(t, "ALTER TABLE audit.entries_away RENAME TO entries")
	s.drained(t)

	// Without a broker events wait, and that is seen.
	s.signalBroker(t, syscall.SIGSTOP)
	u.create(object{"title": "Secret and waiting"})
	s.metric(t, 1, "task-api", "taskwire_event_log_depth", "topic", event.TopicAudit)
	age := func(more float64) func() error {
		return func() error {
			value, _, err := s.Metric(t.Context(), "task-api", "taskwire_event_log_oldest_age_seconds", "topic", event.TopicAudit)
			if err == nil && value <= more {
				err = errNotYet(value)
			}
			return err
		}
	}
	eventually(t, age(3))
	eventually(t, func() error {
		a, err := u.Do(t.Context(), http.MethodGet, "/readyz", nil)
		if err == nil && (a.Status != http.StatusOK || !strings.Contains(string(a.Body), "degraded")) {
			err = errNotYet(string(a.Body))
		}
		return err
	})
	eventually(t, func() error {
		value, _, err := s.Metric(t.Context(), "task-api", "taskwire_event_publish_failures_total")
		if err == nil && value == 0 {
			err = errNotYet("no failure")
		}
		return err
	})
	s.signalBroker(t, syscall.SIGCONT)
	s.drained(t)
	s.metric(t, 0, "task-api", "taskwire_event_log_depth", "topic", event.TopicAudit)
	s.metric(t, 0, "task-api", "taskwire_event_log_oldest_age_seconds", "topic", event.TopicAudit)

	logs, err := filepath.Glob(filepath.Join(s.LogDir, "*.log"))
	require.NoError(t, err)
	require.NotEmpty(t, logs)
	for _, log := range logs {
		text, err := os.ReadFile(log)
		require.NoError(t, err)
		for what, secret := range map[string]string{"an address": u.Email, "a title": "Secret", "a token": u.Token, "a password": "correct horse"} {
			require.NotContains(t, string(text), secret, "%s in %s", what, filepath.Base(log))
		}
	}
}
