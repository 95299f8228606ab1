package followup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/invoke"
	"github.com/taskwire/taskwire/pkg/recurrence"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/taskapi"
	"github.com/taskwire/taskwire/services/recurring-task/internal/followup"
	"github.com/taskwire/taskwire/services/recurring-task/internal/ledger"
	"github.com/taskwire/taskwire/services/recurring-task/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

const (
	appToken  = "what the sidecar shows us"
	daprToken = "what we show the sidecar"
)

// suite is the service's consumer on a real database, with a server in the
// sidecar's place that says what follows a task.
type suite struct {
	t      *testing.T
	db     *bun.DB
	router chi.Router
	events *subscribe.Subscriber
	serial int64

	mu       sync.Mutex
	fail     http.HandlerFunc                // answers instead, when set
	answers  map[uuid.UUID]taskapi.Following // after a task; a rule has ended where there is none
	requests []uuid.UUID
	series   uuid.UUID
}

func newSuite(t *testing.T) *suite {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	log := slog.New(slog.DiscardHandler)

	s := &suite{t: t, db: db, answers: map[uuid.UUID]taskapi.Following{}, series: uuid.New()}
	sidecar := httptest.NewServer(http.HandlerFunc(s.taskAPI))
	t.Cleanup(sidecar.Close)
	consumer := &followup.Consumer{Ledger: &ledger.Store{DB: db}, Erased: ledger.NewEraser(db, time.Now, log), TaskAPI: &taskapi.Client{Sidecar: invoke.At(sidecar.URL, daprToken)}, Log: log}
	events := subscribe.New(subscribe.Options{DB: db, Schema: migrations.Name, AppAPIToken: appToken, Log: log, Now: time.Now})
	consumer.Subscribe(events)
	s.events = events
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
	var in taskapi.Follow
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
	s.requests = append(s.requests, in.AfterTaskID)
	next, ok := s.answers[in.AfterTaskID]
	if next.Ended = !ok; ok {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(next)
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

// asked lists the tasks that task-api was asked to follow.
func (s *suite) asked() []uuid.UUID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// rows is the ledger, oldest first, as "occurrence status".
func (s *suite) rows() []string {
	var list []string
	require.NoError(s.t, s.db.NewRaw(`SELECT substr(occurrence, 1, 10) || ' ' || CASE WHEN status = 'taken_back' AND passed THEN 'missed' ELSE status END
		FROM recurring.occurrences WHERE status <> 'taken_back' OR passed ORDER BY series_id, occurrence`).Scan(context.Background(), &list))
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

// followed is the task that follows t, as task-api says it from now on.
func (s *suite) followed(t event.Task, wall string) event.Task {
	s.mu.Lock()
	defer s.mu.Unlock()
	due, err := recurrence.Resolve(wall, t.Timezone, t.AllDay)
	require.NoError(s.t, err)
	next := t
	next.ID, next.Occurrence, next.DueAt = event.OccurrenceID(s.series, wall), &wall, &due
	next.IsComplete, next.CompletedAt, next.Version, next.UpdatedAt = false, nil, 1, time.Date(2027, 6, 1, 0, 0, 0, 0, time.UTC)
	s.answers[t.ID] = taskapi.Following{TaskID: &next.ID, Occurrence: wall, DueAt: &due}
	return next
}

func (s *suite) event(kind string, t event.Task, metadata ...string) []byte {
	s.serial++
	at := t.UpdatedAt
	if t.CompletedAt != nil {
		at = *t.CompletedAt
	}
	about := map[string]any{}
	for i := 0; i < len(metadata); i += 2 {
		about[metadata[i]] = metadata[i+1]
	}
	data, err := json.Marshal(event.TaskEvent{
		Frame:    event.Frame{EventType: kind, TaskID: t.ID, UserID: t.UserID, Timestamp: at, Metadata: about},
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

func (s *suite) tell(kind string, t event.Task, metadata ...string) {
	require.Equal(s.t, "SUCCESS", s.deliver(s.event(kind, t, metadata...)))
}

func TestACompletedTaskIsFollowed(t *testing.T) {
	s := newSuite(t)
	task := s.weekly()
	next := s.followed(task, "2027-01-11T09:00:00")
	s.tell(event.TaskCreated, task)
	raw := s.event(event.TaskCompleted, completed(task, "2027-01-04T08:30:00Z"))
	require.Equal(t, "SUCCESS", s.deliver(raw))
	require.Equal(t, "SUCCESS", s.deliver(raw))
	s.tell(event.TaskCreated, next, event.MetaFollows, *task.Occurrence)
	require.Equal(t, []uuid.UUID{task.ID}, s.asked(), "the same event again has no effect")
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

// What lies between a task and the one that follows it was missed, whoever had it followed.
func TestWhatWasPassedIsMissed(t *testing.T) {
	s := newSuite(t)
	task := s.weekly()
	next := s.followed(task, "2027-02-01T09:00:00")
	s.tell(event.TaskCompleted, completed(task, "2027-01-27T08:00:00Z"))
	require.Equal(t, []string{"2027-01-04 done"}, s.rows())
	s.tell(event.TaskCreated, next, event.MetaFollows, *task.Occurrence)
	require.Equal(t, []string{"2027-01-04 done", "2027-01-11 missed", "2027-01-18 missed", "2027-01-25 missed", "2027-02-01 open"}, s.rows())
}

// One that was taken back is not shown, unless its date was passed by the next time.
// Whatever order the events arrive in, the ledger is the same.
func TestATaskThatWasTakenBack(t *testing.T) {
	type told struct {
		kind     string
		task     event.Task
		metadata []string
	}
	for name, want := range map[string][]string{
		"2027-01-11T09:00:00": {"2027-01-04 done", "2027-01-11 open"},
		"2027-01-18T09:00:00": {"2027-01-04 done", "2027-01-11 missed", "2027-01-18 open"},
	} {
		t.Run("followed again on "+name, func(t *testing.T) {
			s := newSuite(t)
			for seed := range uint64(20) {
				s.series = uuid.New()
				_, err := s.db.ExecContext(t.Context(), "DELETE FROM recurring.occurrences")
				require.NoError(t, err)
				task := s.weekly()
				done := completed(task, "2027-01-04T08:30:00Z")
				taken := s.followed(task, "2027-01-11T09:00:00")
				gone := taken
				gone.Version = 2
				again := reopened(done)
				late := completed(again, "2027-01-05T08:30:00Z")
				next := s.followed(task, name)
				if next.ID == taken.ID {
					next.Version = 3
				}
				all := []told{
					{event.TaskCreated, task, nil}, {event.TaskCompleted, done, nil}, {event.TaskUpdated, again, nil}, {event.TaskCompleted, late, nil},
					{event.TaskCreated, taken, []string{event.MetaFollows, *task.Occurrence}}, {event.TaskDeleted, gone, []string{event.MetaOccurrence, event.TakenBack}},
					{event.TaskCreated, next, []string{event.MetaFollows, *task.Occurrence}},
				}
				rand.New(rand.NewPCG(seed, 1)).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
				for _, e := range all {
					s.tell(e.kind, e.task, e.metadata...)
				}
				require.Equal(t, want, s.rows(), "seed %d", seed)
			}
		})
	}
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
			require.Equal(t, tc.rows, s.rows())
		})
	}
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

func TestWhatADeletionMeans(t *testing.T) {
	for name, c := range map[string]struct {
		metadata []string
		want     string
	}{
		"skipped":                     {[]string{event.MetaOccurrence, event.Skipped}, "2027-01-11 skipped"},
		"the end of the series":       {[]string{event.MetaOccurrence, event.Ended}, "2027-01-11 ended"},
		"told by the version before":  {nil, "2027-01-11 skipped"},
		"told by one that is to come": {[]string{event.MetaOccurrence, "in the trash"}, "2027-01-11 skipped"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			done := completed(s.weekly(), "2027-01-04T08:30:00Z")
			next := s.followed(done, "2027-01-11T09:00:00")
			s.tell(event.TaskCompleted, done)
			s.tell(event.TaskCreated, next)
			done.Version++
			s.tell(event.TaskDeleted, done)
			next.Version++
			s.tell(event.TaskDeleted, next, c.metadata...)
			require.Equal(t, []string{"2027-01-04 done", c.want}, s.rows(), "what is done stays")
		})
	}
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

// Within its series a task stands for one occurrence, also when it is done.
func TestAMovedTaskLeavesNothingBehind(t *testing.T) {
	s := newSuite(t)
	before := s.weekly()
	wall := "2027-01-05T09:00:00"
	moved := completed(before, "2027-01-04T08:30:00Z")
	moved.Occurrence, moved.Version = &wall, 3
	s.answers[before.ID] = taskapi.Following{Occurrence: wall}
	s.tell(event.TaskUpdated, moved)
	s.tell(event.TaskCompleted, completed(before, "2027-01-04T08:30:00Z"))
	s.tell(event.TaskCreated, before)
	require.Equal(t, []string{"2027-01-05 done"}, s.rows())
}

func TestWhenTaskAPIIsAwayTheEventIsAskedForAgain(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"the sidecar can not reach it": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) },
		"it is not ready":              problem(http.StatusServiceUnavailable),
		"the connection breaks":        func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"the token is refused":         problem(http.StatusForbidden),
		"it is of the version before":  problem(http.StatusUnprocessableEntity),
		"the answer is no JSON":        func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			task := s.weekly()
			raw := s.event(event.TaskCompleted, completed(task, "2027-01-27T08:00:00Z"))
			s.failWith(h)
			require.Equal(t, "RETRY", s.deliver(raw))
			require.Equal(t, "RETRY", s.deliver(raw))
			require.Equal(t, []string{"2027-01-04 done"}, s.rows())

			s.failWith(nil)
			require.Equal(t, "SUCCESS", s.deliver(raw))
			require.Equal(t, "SUCCESS", s.deliver(raw))
			require.Equal(t, []uuid.UUID{task.ID}, s.asked())
			require.Len(t, s.rows(), 4, "the rule has ended: what it passed was missed")
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
		reason string
		seen   bool // before anything is done, by a dry run
	}{
		"an occurrence that is no wall time": {func(t *event.Task) { wall := "next week"; t.Occurrence = &wall }, "the occurrence of task", true},
		"no time of completion":              {func(t *event.Task) { t.CompletedAt = nil }, "without completed_at", true},
		"a rule that is none":                {func(t *event.Task) { t.Recurrence.RRule = "FREQ=SECONDLY" }, "FREQ must be", false},
		"a zone that is none":                {func(t *event.Task) { t.Timezone = "Mars/Olympus" }, "timezone", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			task := completed(s.weekly(), "2027-01-04T08:30:00Z")
			tc.change(&task)
			s.tell(event.TaskCompleted, task)
			letters := s.deadLetters()
			require.Len(t, letters, 1)
			require.Contains(t, letters[0], tc.reason)
			asked := len(s.asked())
			outlook, err := s.events.TryLetter(t.Context(), 1)
			if tc.seen {
				require.ErrorContains(t, err, tc.reason)
			} else {
				require.NoError(t, err)
				require.Equal(t, subscribe.MayBeHandled, outlook)
			}
			require.Len(t, s.asked(), asked, "task-api is not asked")
		})
	}
}
