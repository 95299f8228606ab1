package subscribe_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
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
	"github.com/taskwire/taskwire/pkg/subscribe"
)

func TestMain(m *testing.M) {
	if os.Getenv(killedURL) != "" {
		fmt.Fprintln(os.Stderr, beKilled())
		os.Exit(1)
	}
	os.Exit(databasetest.Main(m))
}

const token = "the sidecar's token"

// consumer is a subscriber whose effect is a row of an event's id and key.
type consumer struct {
	*subscribe.Subscriber
	t      *testing.T
	db     *bun.DB
	router chi.Router
}

func newDB(t *testing.T) *bun.DB {
	db, _ := newDatabase(t)
	return db
}

func newDatabase(t *testing.T) (db *bun.DB, url string) {
	ctx := context.Background()
	url = databasetest.New(t)
	db, err := database.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.ExecContext(ctx, "CREATE SCHEMA consumer; CREATE TABLE consumer.effects (n bigserial, id text, key text);"+
		fmt.Sprintf(subscribe.Tables, "consumer")+fmt.Sprintf(subscribe.Letters, "consumer")+fmt.Sprintf(subscribe.Progress, "consumer"))
	require.NoError(t, err)
	return db, url
}

func newConsumer(t *testing.T, db *bun.DB, setUp func(*subscribe.Subscriber)) *consumer {
	s := subscribe.New(subscribe.Options{DB: db, Schema: "consumer", AppAPIToken: token, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	setUp(s)
	r := chi.NewRouter()
	s.Mount(r)
	return &consumer{s, t, db, r}
}

func write(ctx context.Context, db bun.IDB, e subscribe.Event) error {
	_, err := db.ExecContext(ctx, "INSERT INTO consumer.effects (id, key) VALUES (?, ?)", e.ID(), e.Key)
	return err
}

func writeAll(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
	for _, e := range events {
		if err := write(ctx, tx, e); err != nil {
			return err
		}
	}
	return nil
}

// record is an event as a broker holds it.
func record(t *testing.T, key string) []byte {
	raw, err := event.Encode(event.Header{
		ID: uuid.Must(uuid.NewV7()), Topic: event.TopicTasks, Type: event.TaskCreated, Subject: key, Time: time.Now(),
		PartitionKey: key, Sequence: 1, TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}, json.RawMessage(`{"event_type":"task.created"}`))
	require.NoError(t, err)
	return raw
}

// deliver posts records as the sidecar does, in bulk, and returns the statuses.
func (c *consumer) deliver(records ...[]byte) []string {
	type entry struct {
		EntryID  string            `json:"entryId"`
		Event    string            `json:"event"`
		Metadata map[string]string `json:"metadata"`
	}
	var bulk struct {
		Entries []entry `json:"entries"`
	}
	for i, r := range records {
		bulk.Entries = append(bulk.Entries, entry{fmt.Sprint(i), base64.StdEncoding.EncodeToString(r), map[string]string{"__offset": fmt.Sprint(i)}})
	}
	body, err := json.Marshal(bulk)
	require.NoError(c.t, err)
	code, answer := c.post(body, token)
	require.Equal(c.t, http.StatusOK, code)
	var got struct {
		Statuses []struct{ EntryID, Status string }
	}
	require.NoError(c.t, json.Unmarshal(answer, &got))
	require.Len(c.t, got.Statuses, len(records))
	statuses := make([]string, len(records))
	for i, s := range got.Statuses {
		require.Equal(c.t, fmt.Sprint(i), s.EntryID)
		statuses[i] = s.Status
	}
	return statuses
}

func (c *consumer) post(body []byte, token string) (int, []byte) {
	req := httptest.NewRequest(http.MethodPost, "/events/task-events", bytes.NewReader(body))
	req.Header.Set("dapr-api-token", token)
	rec := httptest.NewRecorder()
	c.router.ServeHTTP(rec, req)
	return rec.Code, rec.Body.Bytes()
}

func (c *consumer) count(table string) int {
	var n int
	require.NoError(c.t, c.db.NewRaw("SELECT count(*) FROM consumer."+table).Scan(context.Background(), &n))
	return n
}

const (
	success = "SUCCESS"
	retry   = "RETRY"
)

func TestEachEventHasItsEffectOnceThoughDeliveredTwice(t *testing.T) {
	for name, setUp := range map[string]func(*bun.DB) func(*subscribe.Subscriber){
		"in a transaction": func(*bun.DB) func(*subscribe.Subscriber) {
			return func(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) }
		},
		"idempotent": func(db *bun.DB) func(*subscribe.Subscriber) {
			return func(s *subscribe.Subscriber) {
				s.Idempotent(event.TopicTasks, func(ctx context.Context, e subscribe.Event) error { return write(ctx, db, e) })
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB(t)
			c := newConsumer(t, db, setUp(db))
			a, b := record(t, "a"), record(t, "b")
			require.Equal(t, []string{success, success, success}, c.deliver(a, b, a), "twice in one delivery")
			require.Equal(t, []string{success, success}, c.deliver(b, a), "and again")
			require.Equal(t, 2, c.count("effects"))
		})
	}
}

func TestTwoReplicasRacingForTheSameEvents(t *testing.T) {
	db := newDB(t)
	replica := func() *consumer {
		return newConsumer(t, db, func(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) })
	}
	one, other := replica(), replica()
	records := make([][]byte, 100)
	for i := range records {
		records[i] = record(t, fmt.Sprint(i))
	}
	var wg sync.WaitGroup
	for _, c := range []*consumer{one, other, one, other} {
		mine := append([][]byte{}, records...)
		rand.Shuffle(len(mine), func(i, j int) { mine[i], mine[j] = mine[j], mine[i] })
		wg.Go(func() {
			for _, s := range c.deliver(mine...) {
				if s != success {
					t.Errorf("answered %s", s)
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, 100, one.count("effects"))
}

func TestAFailingEventIsRetriedAndHoldsBackItsKeyAlone(t *testing.T) {
	db := newDB(t)
	fail := true
	c := newConsumer(t, db, func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			for _, e := range events {
				if e.Key == "bad" && fail {
					return errors.New("not now")
				}
			}
			return writeAll(ctx, tx, events)
		})
	})
	a, bad1, b, bad2 := record(t, "a"), record(t, "bad"), record(t, "b"), record(t, "bad")
	require.Equal(t, []string{success, retry, success, retry}, c.deliver(a, bad1, b, bad2))
	require.Equal(t, 2, c.count("effects"), "the failed event left nothing behind")
	require.Equal(t, []string{retry, retry}, c.deliver(bad1, bad2))
	fail = false
	require.Equal(t, []string{success, success}, c.deliver(bad1, bad2))
	require.Equal(t, 4, c.count("effects"))
	require.Zero(t, c.count("dead_letters"))
}

func TestPoisonIsStoredWithItsReasonAndBlocksNothing(t *testing.T) {
	good := string(record(t, "k"))
	for name, bad := range map[string]string{
		"malformed JSON":         `{"id": "1", `,
		"no JSON at all":         "\x00\xff garbage",
		"an empty body":          "",
		"null":                   "null",
		"a missing type":         strings.Replace(good, `"type":"task.created"`, `"tipe":"task.created"`, 1),
		"a missing id":           strings.Replace(good, `"id":"`, `"ix":"`, 1),
		"an unknown major":       strings.Replace(good, "task-event/v1", "task-event/v2", 1),
		"a foreign schema":       strings.Replace(good, "https://github.com/taskwire", "https://example.org", 1),
		"2 MiB of something":     strings.Repeat("x", 2<<20),
		"what a handler refuses": strings.Replace(good, `"subject":"k"`, `"subject":"refuse"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
				s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
					for _, e := range events {
						if e.Subject() == "refuse" {
							return subscribe.Poison(errors.New("refused"))
						}
					}
					return writeAll(ctx, tx, events)
				})
			})
			require.Equal(t, []string{success, success}, c.deliver([]byte(bad), record(t, "k")))
			require.Equal(t, []string{success}, c.deliver([]byte(bad)), "a redelivery is the same dead letter")
			require.Equal(t, 1, c.count("dead_letters"))
			require.Equal(t, 1, c.count("effects"))
			var reason string
			var payload []byte
			require.NoError(t, c.db.NewRaw("SELECT reason, payload FROM consumer.dead_letters").Scan(context.Background(), &reason, &payload))
			require.NotEmpty(t, reason)
			require.Equal(t, bad, string(payload))
		})
	}
}

func TestANumericTraceIDHarmsNobody(t *testing.T) {
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) })
	require.Equal(t, []string{success}, c.deliver(bytes.Replace(record(t, "k"), []byte(`{`), []byte(`{"traceid":17,`), 1)))
	require.Equal(t, 1, c.count("effects")+c.count("dead_letters"))
}

func TestAPanicIsARetry(t *testing.T) {
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.Idempotent(event.TopicTasks, func(context.Context, subscribe.Event) error { panic("oh") })
	})
	require.Equal(t, []string{retry}, c.deliver(record(t, "k")))
}

func TestWithoutItsDatabaseAConsumerAcknowledgesNothing(t *testing.T) {
	db := newDB(t)
	c := newConsumer(t, db, func(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) })
	_, err := db.ExecContext(context.Background(), "ALTER SCHEMA consumer RENAME TO elsewhere")
	require.NoError(t, err)
	require.Equal(t, []string{retry, retry}, c.deliver(record(t, "a"), []byte("garbage")))
}

func TestOnlyTheSidecarIsServed(t *testing.T) {
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) })
	for _, wrong := range []string{"", "wrong", token + "x"} {
		code, _ := c.post(record(t, "k"), wrong)
		require.Equal(t, http.StatusForbidden, code)
	}
	require.NoError(t, chi.Walk(c.router, func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		rec := httptest.NewRecorder()
		c.router.ServeHTTP(rec, httptest.NewRequest(method, strings.ReplaceAll(route, "*", "any"), bytes.NewReader(record(t, "k"))))
		require.Equal(t, http.StatusForbidden, rec.Code, "%s %s", method, route)
		require.Equal(t, "application/problem+json", rec.Header().Get("Content-Type"))
		return nil
	}))
	require.Zero(t, c.count("effects"))
}

func TestASingleDelivery(t *testing.T) {
	raw := record(t, "k")
	wrapped, err := json.Marshal(map[string]string{"type": "com.dapr.event.sent", "id": "x", "data_base64": base64.StdEncoding.EncodeToString(raw)})
	require.NoError(t, err)
	for name, body := range map[string][]byte{"raw": wrapped, "as it is": raw} {
		t.Run(name, func(t *testing.T) {
			c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) })
			code, answer := c.post(body, token)
			require.Equal(t, http.StatusOK, code)
			require.JSONEq(t, `{"status":"SUCCESS"}`, string(answer))
			require.Equal(t, 1, c.count("effects"))
		})
	}
}

func TestAHandlerContinuesTheTraceOfItsEvent(t *testing.T) {
	var got string
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.Idempotent(event.TopicTasks, func(_ context.Context, e subscribe.Event) error {
			got = e.TraceParent()
			return nil
		})
	})
	c.deliver(record(t, "k"))
	require.Contains(t, got, "0af7651916cd43dd8448eb211c80319c")
}

func TestRandomFailuresLoseAndDoubleNothing(t *testing.T) {
	db := newDB(t)
	c := newConsumer(t, db, func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			err := writeAll(ctx, tx, events)
			if rand.IntN(3) == 0 {
				return errors.New("unlucky")
			}
			return err
		})
	})
	var pending [][]byte
	for i := range 60 {
		pending = append(pending, record(t, fmt.Sprint(i%7)))
	}
	for round := 0; len(pending) > 0; round++ {
		require.Less(t, round, 200)
		var again [][]byte
		for i, s := range c.deliver(pending...) {
			if s == retry {
				again = append(again, pending[i])
			}
		}
		pending = again
	}
	require.Equal(t, 60, c.count("effects"))
	var disordered int
	require.NoError(t, db.NewRaw("SELECT count(*) FROM consumer.effects a JOIN consumer.effects b ON a.key = b.key AND a.n < b.n AND a.id > b.id").Scan(context.Background(), &disordered))
	require.Zero(t, disordered, "the events of a key took effect in their order")
}

// The sidecar ends a delivery that takes too long and makes it again: it has to
// get further each time.
func TestASlowBatchIsFinishedInSeveralDeliveries(t *testing.T) {
	db := newDB(t)
	var end context.CancelFunc
	ran := map[string]int{}
	c := newConsumer(t, db, func(s *subscribe.Subscriber) {
		s.Idempotent(event.TopicTasks, func(_ context.Context, e subscribe.Event) error {
			ran[e.ID()]++
			if len(ran)%3 == 0 && ran[e.ID()] == 1 {
				end() // as the sidecar does at its timeout
			}
			return nil
		})
	})
	entries := make([]string, 10)
	for i := range entries {
		entries[i] = fmt.Sprintf(`{"entryId":"%d","event":%q}`, i, base64.StdEncoding.EncodeToString(record(t, fmt.Sprint(i))))
	}
	body := `{"entries":[` + strings.Join(entries, ",") + `]}`
	for range 4 {
		ctx, cancel := context.WithCancel(t.Context())
		end = cancel
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/events/task-events", strings.NewReader(body))
		req.Header.Set("dapr-api-token", token)
		c.router.ServeHTTP(httptest.NewRecorder(), req)
		cancel()
	}
	require.Equal(t, 10, c.count("inbox"))
	for id, n := range ran {
		require.Equal(t, 1, n, id)
	}
}

// What handlers wait for may be away: a delivery does not wait for it once for each
// event. One event alone that is so slow to fail keeps no other.
func TestWhatIsAwayIsNotWaitedForByEachEvent(t *testing.T) {
	for name, c := range map[string]struct {
		fails    func(key string) bool
		statuses []string
	}{
		"all":   {func(string) bool { return true }, []string{retry, retry, retry, retry, retry, retry}},
		"one":   {func(key string) bool { return key == "2" }, []string{success, success, retry, success, success, success}},
		"three": {func(key string) bool { return key <= "2" }, []string{retry, retry, retry, retry, retry, retry}},
	} {
		t.Run(name, func(t *testing.T) {
			tried, failing := 0, true
			consumer := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
				s.Idempotent(event.TopicTasks, func(_ context.Context, e subscribe.Event) error {
					if !failing || !c.fails(e.Key) {
						return nil
					}
					tried++
					<-time.After(time.Second) // as a call without an answer takes its time
					return errors.New("no answer")
				})
			})
			var records [][]byte
			for i := range 6 {
				records = append(records, record(t, fmt.Sprint(i)))
			}
			require.Equal(t, c.statuses, consumer.deliver(records...))
			require.LessOrEqual(t, tried, 2)
			failing = false
			require.Equal(t, []string{success, success, success, success, success, success}, consumer.deliver(records...))
		})
	}
}
