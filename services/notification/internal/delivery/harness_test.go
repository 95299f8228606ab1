package delivery_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/pkg/telemetry/logtest"
	"github.com/taskwire/taskwire/services/notification/internal/delivery"
	"github.com/taskwire/taskwire/services/notification/internal/erase"
	"github.com/taskwire/taskwire/services/notification/internal/mail"
	"github.com/taskwire/taskwire/services/notification/internal/mail/mailtest"
	"github.com/taskwire/taskwire/services/notification/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// secretTitle is in every title, and must be in no log.
const secretTitle = "surprise party"

// mailTimeout is short, so that a test which waits for it is.
const mailTimeout = 2 * time.Second

// suite is a database, a mail server and a task-api in the sidecar's place,
// with a clock that the test moves.
type suite struct {
	t       *testing.T
	url     string
	db      *bun.DB
	mail    *mailtest.Server
	taskAPI *taskAPI
	logs    *logtest.Log

	// What replicas are started with.
	mailTimeout     time.Duration
	shutdownTimeout time.Duration
	budget          int      // 0: no budget
	public          *url.URL // nil: no links

	mu       sync.Mutex
	now      time.Time
	replicas []*replica
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{t: t, url: databasetest.Migrated(t, migrations.Schema), mail: mailtest.New(t), taskAPI: newTaskAPI(t), logs: &logtest.Log{},
		mailTimeout: mailTimeout, shutdownTimeout: 20 * time.Second,
		now: time.Date(2027, 1, 4, 10, 0, 0, 0, time.UTC)}
	s.db = s.open()
	t.Cleanup(func() {
		require.NotContains(t, s.logs.String(), secretTitle)
		require.NotContains(t, s.logs.String(), "@example.com")
	})
	return s
}

func (s *suite) open() *bun.DB {
	s.t.Helper()
	db, err := database.Open(context.Background(), s.url)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = db.Close() })
	return db
}

func (s *suite) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// advance moves the clock and lets the workers look at it.
func (s *suite) advance(d time.Duration) {
	s.mu.Lock()
	s.now = s.now.Add(d)
	s.mu.Unlock()
	s.wake()
}

func (s *suite) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.replicas {
		r.deliverer.Wake()
	}
}

// replica is one running copy of the service, with a database pool of its own.
type replica struct {
	db        *bun.DB
	deliverer *delivery.Deliverer
	cancel    context.CancelFunc
	done      chan struct{}
}

func (s *suite) start() *replica {
	s.t.Helper()
	sender, err := mail.New(s.mail.URL(), "reminders@taskwire.example", s.mailTimeout)
	require.NoError(s.t, err)
	r := &replica{db: s.open(), done: make(chan struct{})}
	r.deliverer = delivery.NewDeliverer(delivery.Options{
		DB: r.db, Check: &taskapi.Client{Sidecar: invoke.At(s.taskAPI.url, sidecarToken)}, Mail: sender, MailTimeout: s.mailTimeout,
		Connections: 8, RetryFor: 72 * time.Hour, ShutdownTimeout: s.shutdownTimeout, Budget: s.budget, PublicURL: s.public, Clock: s.clock, Log: slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		_ = r.deliverer.Run(ctx)
	}()
	s.mu.Lock()
	s.replicas = append(s.replicas, r)
	s.mu.Unlock()
	s.t.Cleanup(r.stop)
	return r
}

func (r *replica) stop() {
	r.cancel()
	<-r.done
}

// kill is as near to kill -9 as one process allows: from now on nothing that
// the replica does reaches the database.
func (r *replica) kill() {
	_ = r.db.Close()
	r.cancel()
}

// reminder is one reminder of a user with an address.
type reminder struct {
	id, task, user uuid.UUID
	at             time.Time
	due            time.Time
	to             string
}

// newReminder returns one that is set for now and that task-api knows.
func (s *suite) newReminder(to string) reminder {
	now := s.clock()
	r := reminder{id: uuid.New(), task: uuid.New(), user: uuid.New(), at: now, due: now.Add(time.Hour), to: to}
	s.taskAPI.set(r, "")
	return r
}

// due handles the events of reminders as the subscription does.
func (s *suite) due(reminders ...reminder) {
	s.t.Helper()
	var events []subscribe.Event
	for _, r := range reminders {
		events = append(events, s.dueEvent(r))
	}
	s.handle(func(c *delivery.Consumer) handler { return c.Reminders }, events...)
	s.wake()
}

type handler = func(context.Context, bun.Tx, []subscribe.Event) error

func (s *suite) handle(of func(*delivery.Consumer) handler, events ...subscribe.Event) {
	s.t.Helper()
	c := delivery.NewConsumer(s.clock, erase.New(s.db, s.clock, slog.New(slog.DiscardHandler)), func() {})
	require.NoError(s.t, s.db.RunInTx(context.Background(), nil, func(ctx context.Context, tx bun.Tx) error {
		return of(c)(ctx, tx, events)
	}))
}

func (s *suite) dueEvent(r reminder, change ...func(*event.ReminderEvent)) subscribe.Event {
	s.t.Helper()
	e := event.ReminderEvent{
		Frame:      event.Frame{EventType: event.ReminderDue, TaskID: r.task, UserID: r.user, Timestamp: s.clock(), Metadata: map[string]any{}},
		ReminderID: r.id, Title: secretTitle + " " + r.id.String(), DueAt: &r.due, RemindAt: r.at, Timezone: "Europe/Berlin", Priority: "none",
	}
	for _, c := range change {
		c(&e)
	}
	return s.event(event.TopicReminders, event.ReminderDue, r.task, e)
}

// changed delivers an event about a task.
func (s *suite) changed(eventType string, at time.Time, task event.Task) {
	s.t.Helper()
	raw := s.encode(event.TopicTasks, eventType, task.ID, event.TaskEvent{
		Frame:    event.Frame{EventType: eventType, TaskID: task.ID, UserID: task.UserID, Timestamp: at, Metadata: map[string]any{}},
		TaskData: task,
	})
	require.Equal(s.t, []string{"SUCCESS"}, post(s.t, s.serve(delivery.NewConsumer(s.clock, erase.New(s.db, s.clock, slog.New(slog.DiscardHandler)), func() {})), event.TopicTasks, raw))
	s.wake()
}

func (s *suite) event(topic, eventType string, task uuid.UUID, data any) subscribe.Event {
	s.t.Helper()
	e, err := event.Decode(s.encode(topic, eventType, task, data))
	require.NoError(s.t, err)
	return subscribe.Event{Event: e, Topic: topic, Key: task.String()}
}

func (s *suite) encode(topic, eventType string, task uuid.UUID, data any) []byte {
	s.t.Helper()
	raw, err := json.Marshal(data)
	require.NoError(s.t, err)
	raw, err = event.Encode(event.Header{
		ID: uuid.Must(uuid.NewV7()), Topic: topic, Type: eventType, Subject: task.String(), Time: s.clock(),
		PartitionKey: task.String(), Sequence: 1, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}, raw)
	require.NoError(s.t, err)
	return raw
}

func (r reminder) taskData() event.Task {
	return event.Task{ID: r.task, UserID: r.user, DueAt: &r.due, Reminders: []event.Reminder{{ID: r.id, At: &r.at}}}
}

// deliveryOf is the row of a reminder on a channel.
func (s *suite) deliveryOf(r reminder, channel string) delivery.Row {
	s.t.Helper()
	var row delivery.Row
	err := s.db.NewSelect().Model(&row).Where("reminder_id = ? AND remind_at = ? AND channel = ?", r.id, r.at, channel).Scan(context.Background())
	require.NoError(s.t, err)
	return row
}

// reach waits until a delivery is in a state.
func (s *suite) reach(r reminder, channel, state string) delivery.Row {
	s.t.Helper()
	var row delivery.Row
	s.eventually(func() bool {
		row = s.deliveryOf(r, channel)
		return row.State == state
	}, "the %s delivery becomes %s", channel, state)
	return row
}

func (s *suite) count(state string) int {
	s.t.Helper()
	n, err := s.db.NewSelect().Model((*delivery.Row)(nil)).Where("state = ?", state).Count(context.Background())
	require.NoError(s.t, err)
	return int(n)
}

func (s *suite) notifications() int {
	s.t.Helper()
	n, err := s.db.NewSelect().Table("notification.notifications").Count(context.Background())
	require.NoError(s.t, err)
	return int(n)
}

func (s *suite) eventually(condition func() bool, format string, args ...any) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			require.Failf(s.t, "did not happen", format+"\n%s", append(args, s.logs.String())...)
		}
		<-tick.C
	}
}

const sidecarToken = "sidecar-token"

// taskAPI answers the check in task-api's and the sidecar's place.
type taskAPI struct {
	url string

	mu        sync.Mutex
	standings map[uuid.UUID]taskapi.Standing
	mails     map[uuid.UUID]taskapi.AccountMail
	down      bool
	calls     int
	largest   int
}

func newTaskAPI(t *testing.T) *taskAPI {
	t.Helper()
	a := &taskAPI{standings: map[uuid.UUID]taskapi.Standing{}, mails: map[uuid.UUID]taskapi.AccountMail{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1.0/invoke/task-api/method/internal/reminders/check", a.check)
	mux.HandleFunc("POST /v1.0/invoke/task-api/method/internal/account-mails", a.write)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	a.url = server.URL
	return a
}

// set says that a reminder stands (reason "") or why not.
func (a *taskAPI) set(r reminder, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.standings[r.id] = taskapi.Standing{Reminder: taskapi.Reminder{ID: r.id, At: r.at}, Stands: reason == "", Reason: reason,
		User: &taskapi.User{ID: r.user, Email: r.to, Timezone: "America/New_York"}}
}

func (a *taskAPI) setDown(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
}

func (a *taskAPI) asked() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls
}

func (a *taskAPI) check(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls++
	if r.Header.Get("dapr-api-token") != sidecarToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if a.down {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	var body struct {
		Reminders []taskapi.Reminder `json:"reminders"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil || len(body.Reminders) > taskapi.MaxCheck {
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	a.largest = max(a.largest, len(body.Reminders))
	answer := make([]taskapi.Standing, 0, len(body.Reminders))
	for _, asked := range body.Reminders {
		standing, ok := a.standings[asked.ID]
		if !ok {
			standing.Reason = delivery.Deleted
		} else if !standing.At.Equal(asked.At) {
			standing.Stands, standing.Reason = false, delivery.Moved
		}
		standing.Reminder = asked
		answer = append(answer, standing)
	}
	// The caller may have gone.
	_ = json.NewEncoder(w).Encode(map[string]any{"reminders": answer})
}
