package spawn_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
	"github.com/taskwire/taskwire/services/recurring-task/internal/spawn"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

const (
	appToken  = "what the sidecar shows us"
	daprToken = "what we show the sidecar"
)

// request is what task-api is asked for, successor what it made of it.
type (
	request struct {
		AfterTaskID uuid.UUID `json:"after_task_id"`
		Occurrence  string    `json:"occurrence"`
		DueAt       time.Time `json:"due_at"`
	}
	successor struct {
		TaskID     uuid.UUID
		Occurrence string
	}
)

// suite is the service's consumer on a real database, with a server in the
// sidecar's place that keeps task-api's promise: a task is followed once.
type suite struct {
	t      *testing.T
	db     *bun.DB
	router chi.Router
	serial int64

	mu       sync.Mutex
	fail     http.HandlerFunc // answers instead, when set
	requests []request
	followed map[uuid.UUID]successor
	series   uuid.UUID
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	ctx := context.Background()
	url := databasetest.New(t)
	log := slog.New(slog.DiscardHandler)
	require.NoError(t, database.Migrate(ctx, database.Migration{OwnerURL: url, RuntimeURL: url, Schema: migrations.Schema, Log: log}))
	db, err := database.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })

	s := &suite{t: t, db: db, followed: map[uuid.UUID]successor{}, series: uuid.New()}
	sidecar := httptest.NewServer(http.HandlerFunc(s.taskAPI))
	t.Cleanup(sidecar.Close)
	spawner := &spawn.Spawner{Ledger: &ledger.Store{DB: db}, TaskAPI: &taskapi.Client{Sidecar: invoke.At(sidecar.URL, daprToken)}, Log: log}
	events := subscribe.New(subscribe.Options{DB: db, Schema: migrations.Name, AppAPIToken: appToken, Log: log, Now: time.Now})
	events.Idempotent(event.TopicTasks, spawner.Handle)
	s.router = chi.NewRouter()
	events.Mount(s.router)
	return s
}

func (s *suite) taskAPI(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		s.fail(w, r)
		return
	}
	var in request
	if r.Method != http.MethodPost || r.URL.Path != "/v1.0/invoke/task-api/method/internal/occurrences" ||
		r.Header.Get("dapr-api-token") != daprToken || json.NewDecoder(r.Body).Decode(&in) != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	// No transaction of ours may wait for this answer.
	var open int
	if err := s.db.NewRaw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'").Scan(r.Context(), &open); err != nil || open > 0 {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.requests = append(s.requests, in)
	next, ok := s.followed[in.AfterTaskID]
	status := http.StatusOK
	if !ok {
		status = http.StatusCreated
		next = successor{TaskID: event.OccurrenceID(s.series, in.Occurrence), Occurrence: in.Occurrence}
		s.followed[in.AfterTaskID] = next
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"task_id": next.TaskID, "occurrence": next.Occurrence, "due_at": in.DueAt})
}

func (s *suite) failWith(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = h
}

func problem(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, `{"status":%d,"title":%q,"detail":"because"}`, status, http.StatusText(status))
	}
}

// asked lists the occurrences that task-api was asked for.
func (s *suite) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, r := range s.requests {
		list = append(list, r.Occurrence+" = "+r.DueAt.Format(time.RFC3339))
	}
	return list
}

// rows is the ledger, oldest first, as "occurrence status".
func (s *suite) rows() []string {
	var list []string
	require.NoError(s.t, s.db.NewRaw("SELECT substr(occurrence, 1, 10) || ' ' || status FROM recurring.occurrences ORDER BY series_id, occurrence").
		Scan(context.Background(), &list))
	return list
}

func (s *suite) deadLetters() []string {
	var list []string
	require.NoError(s.t, s.db.NewRaw("SELECT reason FROM recurring.dead_letters ORDER BY id").Scan(context.Background(), &list))
	return list
}

// weekly is the first task of a weekly series, open, in Berlin.
func (s *suite) weekly(change ...func(*event.Task)) event.Task {
	due := time.Date(2027, 1, 4, 8, 0, 0, 0, time.UTC)
	wall := "2027-01-04T09:00:00"
	t := event.Task{
		ID: uuid.New(), UserID: uuid.New(), Title: "water the plants", Tags: []string{}, DueAt: &due, Timezone: "Europe/Berlin",
		Recurrence: &event.Recurrence{RRule: "FREQ=WEEKLY", Basis: "due", MonthEnd: "clamp", DSTGap: "forward", Missed: "collapse", Anchor: wall},
		SeriesID:   &s.series, Occurrence: &wall, Version: 1, CreatedAt: due, UpdatedAt: due,
	}
	for _, f := range change {
		f(&t)
	}
	return t
}

func completed(t event.Task, at string) event.Task {
	when, err := time.Parse(time.RFC3339, at)
	if err != nil {
		panic(err)
	}
	t.IsComplete, t.CompletedAt, t.Version = true, &when, t.Version+1
	return t
}

func reopened(t event.Task) event.Task {
	t.IsComplete, t.CompletedAt, t.Version = false, nil, t.Version+1
	return t
}

// spawned is the task that task-api made to follow t.
func (s *suite) spawned(t event.Task) event.Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, ok := s.followed[t.ID]
	require.True(s.t, ok, "nothing follows")
	t.ID, t.Occurrence, t.IsComplete, t.CompletedAt, t.Version = next.TaskID, &next.Occurrence, false, nil, 1
	return t
}

func (s *suite) event(kind string, t event.Task) []byte {
	s.serial++
	at := t.UpdatedAt
	if t.CompletedAt != nil {
		at = *t.CompletedAt
	}
	data, err := json.Marshal(event.TaskEvent{
		Frame:    event.Frame{EventType: kind, TaskID: t.ID, UserID: t.UserID, Timestamp: at, Metadata: map[string]any{}},
		TaskData: t,
	})
	require.NoError(s.t, err)
	raw, err := event.Encode(event.Header{
		ID: uuid.Must(uuid.NewV7()), Topic: event.TopicTasks, Type: kind, Subject: t.ID.String(), Time: at, PartitionKey: t.ID.String(), Sequence: s.serial,
	}, data)
	require.NoError(s.t, err)
	return raw
}

// deliver posts a record as the sidecar does and returns the answer.
func (s *suite) deliver(raw []byte) string {
	req := httptest.NewRequest(http.MethodPost, "/events/task-events", bytes.NewReader(raw))
	req.Header.Set("dapr-api-token", appToken)
	rec := httptest.NewRecorder()
	s.router.ServeHTTP(rec, req)
	require.Equal(s.t, http.StatusOK, rec.Code)
	var answer struct{ Status string }
	require.NoError(s.t, json.Unmarshal(rec.Body.Bytes(), &answer))
	return answer.Status
}

func (s *suite) tell(kind string, t event.Task) {
	require.Equal(s.t, "SUCCESS", s.deliver(s.event(kind, t)))
}

func TestCompletingCreatesTheNextOccurrence(t *testing.T) {
	s := newSuite(t)
	task := s.weekly()
	s.tell(event.TaskCreated, task)
	s.tell(event.TaskCompleted, completed(task, "2027-01-04T08:30:00Z"))
	s.tell(event.TaskCreated, s.spawned(task))

	require.Equal(t, []string{"2027-01-11T09:00:00 = 2027-01-11T08:00:00Z"}, s.asked())
	require.Equal(t, []string{"2027-01-04 done", "2027-01-11 open"}, s.rows())
}

func TestTasksThatDoNotRecurAreLeftAlone(t *testing.T) {
	for name, change := range map[string]func(*event.Task){
		"a plain task":                 func(t *event.Task) { t.SeriesID, t.Occurrence, t.Recurrence = nil, nil, nil },
		"one whose recurrence was cut": func(t *event.Task) { t.Recurrence = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			s.tell(event.TaskCompleted, completed(s.weekly(change), "2027-01-04T08:30:00Z"))
			require.Empty(t, s.asked())
		})
	}
}

func TestOneSuccessorHoweverOftenATaskIsCompleted(t *testing.T) {
	s := newSuite(t)
	task := s.weekly()
	done := completed(task, "2027-01-04T08:30:00Z")
	raw := s.event(event.TaskCompleted, done)
	require.Equal(t, "SUCCESS", s.deliver(raw))
	require.Equal(t, "SUCCESS", s.deliver(raw))
	require.Len(t, s.asked(), 1, "the same event again has no effect")

	s.tell(event.TaskCompleted, done)
	again := reopened(done)
	s.tell(event.TaskUpdated, again)
	require.Equal(t, []string{"2027-01-04 open"}, s.rows())
	// So late that a schedule without a successor would have gone on further.
	s.tell(event.TaskCompleted, completed(again, "2027-02-10T08:30:00Z"))
	next := s.spawned(task)
	require.Equal(t, "2027-01-11T09:00:00", *next.Occurrence)
	s.tell(event.TaskCreated, next)
	require.Equal(t, []string{"2027-01-04 done", "2027-01-11 open"}, s.rows(), "the successor is not missed, nor is what follows it")
	require.Len(t, s.followed, 1)
}

func TestLateCompletionRecordsWhatWasMissed(t *testing.T) {
	s := newSuite(t)
	task := s.weekly()
	raw := s.event(event.TaskCompleted, completed(task, "2027-01-27T08:00:00Z"))
	require.Equal(t, "SUCCESS", s.deliver(raw))
	require.Equal(t, []string{"2027-02-01T09:00:00 = 2027-02-01T08:00:00Z"}, s.asked())
	require.Equal(t, []string{"2027-01-04 done", "2027-01-11 missed", "2027-01-18 missed", "2027-01-25 missed"}, s.rows())
}

func TestEndOfASeries(t *testing.T) {
	for name, tc := range map[string]struct {
		rrule string
		at    string
		rows  []string
	}{
		"COUNT":                    {"FREQ=WEEKLY;COUNT=1", "2027-01-04T08:00:00Z", []string{"2027-01-04 done"}},
		"UNTIL":                    {"FREQ=WEEKLY;UNTIL=20270110", "2027-01-04T08:00:00Z", []string{"2027-01-04 done"}},
		"UNTIL, the last missed":   {"FREQ=WEEKLY;UNTIL=20270111", "2027-02-04T08:00:00Z", []string{"2027-01-04 done", "2027-01-11 missed"}},
		"COUNT, the others missed": {"FREQ=WEEKLY;COUNT=3", "2027-02-04T08:00:00Z", []string{"2027-01-04 done", "2027-01-11 missed", "2027-01-18 missed"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			s.tell(event.TaskCompleted, completed(s.weekly(func(t *event.Task) { t.Recurrence.RRule = tc.rrule }), tc.at))
			require.Empty(t, s.asked())
			require.Equal(t, tc.rows, s.rows())
		})
	}
}

// With basis "completion" the past of a series does not follow from its rule:
// COUNT is told from the ledger.
func TestCountAfterCompletion(t *testing.T) {
	s := newSuite(t)
	task := s.weekly(func(t *event.Task) {
		t.Recurrence.RRule, t.Recurrence.Basis = "FREQ=DAILY;INTERVAL=30;COUNT=3", "completion"
	})
	s.tell(event.TaskCreated, task)
	for i, at := range []string{"2027-01-10T12:00:00Z", "2027-02-20T12:00:00Z", "2027-04-01T12:00:00Z"} {
		s.tell(event.TaskCompleted, completed(task, at))
		if i < 2 {
			task = s.spawned(task)
			s.tell(event.TaskCreated, task)
		}
	}
	require.Equal(t, []string{"2027-02-09T09:00:00 = 2027-02-09T08:00:00Z", "2027-03-22T09:00:00 = 2027-03-22T08:00:00Z"}, s.asked())
	require.Equal(t, []string{"2027-01-04 done", "2027-02-09 done", "2027-03-22 done"}, s.rows())
}

func TestTheLedgerTakesNoOlderState(t *testing.T) {
	s := newSuite(t)
	task := s.weekly()
	done := completed(task, "2027-01-04T08:30:00Z")
	s.tell(event.TaskCompleted, done)
	s.tell(event.TaskCreated, task)
	require.Equal(t, []string{"2027-01-04 done"}, s.rows())
}

func TestTheCreationOfAnOccurrenceReplacesAMissedOne(t *testing.T) {
	s := newSuite(t)
	s.tell(event.TaskCompleted, completed(s.weekly(), "2027-01-27T08:00:00Z"))
	wall := "2027-01-11T09:00:00"
	s.tell(event.TaskCreated, s.weekly(func(t *event.Task) { t.Occurrence = &wall }))
	require.Equal(t, []string{"2027-01-04 done", "2027-01-11 open", "2027-01-18 missed", "2027-01-25 missed"}, s.rows())
}

func TestDeletionSkipsWhatIsOpenAndKeepsWhatIsDone(t *testing.T) {
	s := newSuite(t)
	done := completed(s.weekly(), "2027-01-04T08:30:00Z")
	s.tell(event.TaskCompleted, done)
	next := s.spawned(done)
	s.tell(event.TaskCreated, next)
	done.Version++
	s.tell(event.TaskDeleted, done)
	next.Version++
	s.tell(event.TaskDeleted, next)
	require.Equal(t, []string{"2027-01-04 done", "2027-01-11 skipped"}, s.rows())
}

func TestAChangedRuleLeavesNoOpenEndInTheFormerSeries(t *testing.T) {
	s := newSuite(t)
	task := s.weekly()
	s.tell(event.TaskCreated, task)
	moved, wall := uuid.New(), "2027-01-05T09:00:00"
	task.SeriesID, task.Occurrence, task.Version = &moved, &wall, 2
	s.tell(event.TaskUpdated, task)
	require.Equal(t, []string{"2027-01-05 open"}, s.rows())
}

func TestWhenTaskAPIIsAwayTheEventIsAskedForAgain(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"the sidecar can not reach it": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"it is not ready":              problem(http.StatusServiceUnavailable),
		"the connection breaks":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"the token is refused":         problem(http.StatusForbidden),
		"the answer is no JSON":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			task := s.weekly()
			raw := s.event(event.TaskCompleted, completed(task, "2027-01-27T08:00:00Z"))
			s.failWith(h)
			require.Equal(t, "RETRY", s.deliver(raw))
			require.Equal(t, "RETRY", s.deliver(raw))
			require.Equal(t, []string{"2027-01-04 done"}, s.rows(), "what was missed is recorded once the next exists")

			s.failWith(nil)
			require.Equal(t, "SUCCESS", s.deliver(raw))
			require.Equal(t, "SUCCESS", s.deliver(raw))
			require.Equal(t, []string{"2027-02-01T09:00:00 = 2027-02-01T08:00:00Z"}, s.asked())
			require.Len(t, s.rows(), 4)
			require.Empty(t, s.deadLetters())
		})
	}
}

func TestWhenNothingIsToFollowTheEventIsDone(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusConflict} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			s := newSuite(t)
			s.failWith(problem(status))
			s.tell(event.TaskCompleted, completed(s.weekly(), "2027-01-27T08:00:00Z"))
			require.Equal(t, []string{"2027-01-04 done"}, s.rows())
			require.Empty(t, s.deadLetters())
		})
	}
}

func TestWhatCanNeverPassIsADeadLetter(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*event.Task)
		answer http.HandlerFunc
		reason string
	}{
		"an occurrence that is no wall time": {change: func(t *event.Task) { wall := "next week"; t.Occurrence = &wall }, reason: "the occurrence of task"},
		"a rule that is none":                {change: func(t *event.Task) { t.Recurrence.RRule = "FREQ=SECONDLY" }, reason: "FREQ must be"},
		"a zone that is none":                {change: func(t *event.Task) { t.Timezone = "Mars/Olympus" }, reason: "timezone"},
		"a request that task-api refuses":    {answer: problem(http.StatusUnprocessableEntity), reason: "answered 422"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			task := s.weekly()
			if tc.change != nil {
				tc.change(&task)
			}
			s.failWith(tc.answer)
			s.tell(event.TaskCompleted, completed(task, "2027-01-04T08:30:00Z"))
			letters := s.deadLetters()
			require.Len(t, letters, 1)
			require.Contains(t, letters[0], tc.reason)
		})
	}
}
