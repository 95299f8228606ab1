package subscribe_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/telemetry"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

// These tests hold what daprd 1.18.1 does with and to a delivery.

func inTx(s *subscribe.Subscriber) { s.InTx(event.TopicTasks, writeAll) }

// single posts a record as the sidecar does without bulk: in an event of its
// own making, the metadata as headers.
func (c *consumer) single(raw []byte, headers map[string]string) (int, string) {
	body, err := json.Marshal(map[string]string{
		"id": "of the sidecar", "specversion": "1.0", "source": "Dapr", "type": "com.dapr.event.sent", "topic": event.TopicTasks,
		"datacontenttype": "application/octet-stream", "data_base64": base64.StdEncoding.EncodeToString(raw),
	})
	require.NoError(c.t, err)
	req := httptest.NewRequest(http.MethodPost, "/events/"+event.TopicTasks, bytes.NewReader(body))
	req.Header.Set("dapr-api-token", token)
	for k, v := range headers {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	c.router.ServeHTTP(rec, req)
	return rec.Code, strings.TrimSpace(rec.Body.String())
}

type letter struct {
	Topic, Key, EventID, Source, Type, Reason, Metadata string
	Payload                                             []byte
}

func (c *consumer) letters() []letter {
	var rows []letter
	require.NoError(c.t, c.db.NewRaw("SELECT topic, key, event_id, source, type, reason, metadata::text, payload FROM consumer.dead_letters ORDER BY id").
		Scan(context.Background(), &rows))
	return rows
}

func TestADeadLetterOfASingleDeliveryKeepsWhatIsKnownOfTheRecord(t *testing.T) {
	c := newConsumer(t, newDB(t), inTx)
	bad := []byte(`{"specversion":"1.0","id":"e1","source":"/somewhere","type":"odd"}`)
	at := func(offset string) map[string]string {
		return map[string]string{"__key": "k1", "__partition": "3", "__offset": offset, "Cookie": "secret"}
	}
	for range 2 {
		code, answer := c.single(bad, at("17"))
		require.Equal(t, http.StatusOK, code)
		require.JSONEq(t, `{"status":"SUCCESS"}`, answer)
	}
	c.single(bad, at("18"))
	letters := c.letters()
	require.Len(t, letters, 2, "one for each record, not for each delivery")
	l := letters[0]
	require.Equal(t, []string{event.TopicTasks, "k1", "e1", "/somewhere", "odd"}, []string{l.Topic, l.Key, l.EventID, l.Source, l.Type})
	require.Contains(t, l.Reason, "dataschema")
	require.Equal(t, bad, l.Payload)
	require.Contains(t, l.Metadata, `"__offset": "17"`)
	require.NotContains(t, l.Metadata, token)
	require.NotContains(t, l.Metadata, "secret")
}

func TestASingleDeliveryThatMustBeRetriedSaysSo(t *testing.T) {
	// An answer without a status would count as handled.
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(context.Context, bun.Tx, []subscribe.Event) error { return errors.New("not now") })
	})
	code, answer := c.single(record(t, "k"), nil)
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"status":"RETRY"}`, answer)
}

func TestARecordIsFoundInWhateverItCameIn(t *testing.T) {
	raw := record(t, "k")
	base := base64.StdEncoding.EncodeToString(raw)
	text, err := json.Marshal(string(raw))
	require.NoError(t, err)
	for name, body := range map[string]string{
		"bulk, raw, of Kafka":        `{"entries":[{"entryId":"0","event":"` + base + `","contentType":"application/octet-stream","metadata":{"__key":"k","__offset":"5"}}]}`,
		"bulk, raw, of Redis":        `{"entries":[{"entryId":"b7c4","event":"` + base + `","metadata":null}]}`,
		"bulk, parsed":               `{"entries":[{"entryId":"0","event":` + string(raw) + `}]}`,
		"single, raw":                `{"type":"com.dapr.event.sent","data_base64":"` + base + `"}`,
		"single, wrapped as JSON":    `{"type":"com.dapr.event.sent","datacontenttype":"application/json","data":` + string(raw) + `}`,
		"single, wrapped as text":    `{"type":"com.dapr.event.sent","datacontenttype":"text/plain","data":` + string(text) + `}`,
		"single, parsed":             string(raw),
		"bulk, unknown fields added": `{"id":"1","entries":[{"entryId":"0","event":"` + base + `","news":{}}],"news":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := newConsumer(t, newDB(t), inTx)
			code, answer := c.post([]byte(body), token)
			require.Equal(t, http.StatusOK, code)
			require.Contains(t, string(answer), success)
			require.Equal(t, 1, c.count("effects WHERE key = 'k'"))
			require.Zero(t, c.count("dead_letters"))
		})
	}
}

func TestAnEmptyBulkIsAnsweredAsOne(t *testing.T) {
	c := newConsumer(t, newDB(t), inTx)
	code, answer := c.post([]byte(`{"entries":[]}`), token)
	require.Equal(t, http.StatusOK, code)
	require.JSONEq(t, `{"statuses":[]}`, string(answer))
}

func TestATopicWithoutHandlerIsNotThrownAway(t *testing.T) {
	c := newConsumer(t, newDB(t), inTx)
	req := httptest.NewRequest(http.MethodPost, "/events/reminders", strings.NewReader(`{"entries":[]}`))
	req.Header.Set("dapr-api-token", token)
	rec := httptest.NewRecorder()
	c.router.ServeHTTP(rec, req)
	require.Equal(t, http.StatusServiceUnavailable, rec.Code, "after a 404 the sidecar would count the events as handled")
}

func TestAnEventOfAnotherTopicsSchemaIsPoison(t *testing.T) {
	c := newConsumer(t, newDB(t), inTx)
	bad := strings.Replace(string(record(t, "k")), "task-event/v1", "audit-event/v1", 1)
	require.Equal(t, []string{success}, c.deliver([]byte(bad)))
	require.Contains(t, c.letters()[0].Reason, "does not belong on topic")
	require.Equal(t, "k", c.letters()[0].Key)
	require.Zero(t, c.count("effects"))
}

func TestWhatPostgresCannotKeepIsPoison(t *testing.T) {
	with := func(old, replacement string) []byte {
		return []byte(strings.Replace(string(record(t, "k")), old, replacement, 1))
	}
	var long strings.Builder
	for range 200 {
		long.WriteString(uuid.NewString())
	}
	for name, bad := range map[string][]byte{
		"a NUL in the id":         with(`"id":"`, `"id":"\u0000`),
		"a NUL in an extension":   with(`"specversion"`, `"more":"\u0000","specversion"`),
		"a NUL in the data":       with(`"event_type":"`, `"event_type":"\\\u0000`),
		"a NUL in encoded data":   with(`"data":{"event_type":"task.created"}`, `"data_base64":"`+base64.StdEncoding.EncodeToString([]byte(`{"a":"\u0000"}`))+`"`),
		"bytes that are no UTF-8": with(`"event_type":"`, "\"event_type\":\"\xff"),
		"an id of 7 kB":           with(`"id":"`, `"id":"`+long.String()),
		"values that are refused": with(`"subject":"k"`, `"subject":"overflow"`),
	} {
		t.Run(name, func(t *testing.T) {
			c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
				s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
					for _, e := range events {
						if e.Subject() != "overflow" {
							continue
						}
						if _, err := tx.ExecContext(ctx, "SELECT 1e999999::numeric"); err != nil {
							return err
						}
					}
					return writeAll(ctx, tx, events)
				})
			})
			require.Equal(t, []string{success, success}, c.deliver(bad, record(t, "k")))
			require.Equal(t, 1, c.count("effects"))
			require.Equal(t, bad, c.letters()[0].Payload)
		})
	}
}

func TestTextThatOnlyLooksLikeANULIsKept(t *testing.T) {
	c := newConsumer(t, newDB(t), inTx)
	good := []byte(strings.Replace(string(record(t, "k")), `"event_type":"`, `"event_type":"\\u0000`, 1))
	require.Equal(t, []string{success}, c.deliver(good))
	require.Equal(t, 1, c.count("effects"))

	code, _ := c.single([]byte("poison"), map[string]string{"odd": `\u0000 and \\u0000 and "`})
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, c.letters()[0].Metadata, `\\u0000`)
}

func TestPoisonThatCannotBeStoredIsRetriedAndHoldsBackItsKey(t *testing.T) {
	db := newDB(t)
	c := newConsumer(t, db, inTx)
	_, err := db.ExecContext(context.Background(), "ALTER TABLE consumer.dead_letters RENAME TO elsewhere")
	require.NoError(t, err)
	poison := []byte(strings.Replace(string(record(t, "k")), "task-event/v1", "task-event/v7", 1))
	behind, other := record(t, "k"), record(t, "other")
	require.Equal(t, []string{retry, retry, success}, c.deliver(poison, behind, other))
	_, err = db.ExecContext(context.Background(), "ALTER TABLE consumer.elsewhere RENAME TO dead_letters")
	require.NoError(t, err)
	require.Equal(t, []string{success, success}, c.deliver(poison, behind))
	require.Equal(t, 2, c.count("effects"))
	require.Equal(t, 1, c.count("dead_letters"))
}

func TestAPanicOfOneEventUndoesItsOwnEffectAlone(t *testing.T) {
	var logged bytes.Buffer
	db := newDB(t)
	s := subscribe.New(subscribe.Options{DB: db, Schema: "consumer", AppAPIToken: token, Log: slog.New(slog.NewJSONHandler(&logged, nil)), Now: time.Now})
	s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
		if err := writeAll(ctx, tx, events); err != nil {
			return err
		}
		for _, e := range events {
			if e.Key == "bad" {
				panic("oh")
			}
		}
		return nil
	})
	c := &consumer{s, t, db, chi.NewRouter()}
	s.Mount(c.router)
	require.Equal(t, []string{success, retry, success}, c.deliver(record(t, "a"), record(t, "bad"), record(t, "b")))
	require.Equal(t, 2, c.count("effects"))
	require.Contains(t, logged.String(), "sidecar_test.go", "the stack shows where")
}

func TestAHandlersContextContinuesTheTraceOfAnEventThatIsAlone(t *testing.T) {
	const trace = "0af7651916cd43dd8448eb211c80319c" // of record
	db := newDB(t)
	for name, setUp := range map[string]func(*subscribe.Subscriber, *string){
		"in a transaction": func(s *subscribe.Subscriber, got *string) {
			s.InTx(event.TopicTasks, func(ctx context.Context, _ bun.Tx, _ []subscribe.Event) error {
				*got = telemetry.TraceID(ctx)
				return nil
			})
		},
		"idempotent": func(s *subscribe.Subscriber, got *string) {
			s.Idempotent(event.TopicTasks, func(ctx context.Context, _ subscribe.Event) error {
				*got = telemetry.TraceID(ctx)
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			newConsumer(t, db, func(s *subscribe.Subscriber) { setUp(s, &got) }).deliver(record(t, "k"))
			require.Equal(t, trace, got)
		})
	}
}

func TestADeliveryInFlightEndsBeforeTheServerStops(t *testing.T) {
	began, goOn := make(chan struct{}), make(chan struct{})
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			close(began)
			<-goOn
			return writeAll(ctx, tx, events)
		})
	})
	server := httptest.NewServer(c.router)
	defer server.Close()
	body, err := json.Marshal(map[string]any{"entries": []any{map[string]any{"entryId": "0", "event": base64.StdEncoding.EncodeToString(record(t, "k"))}}})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/events/"+event.TopicTasks, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("dapr-api-token", token)
	answers, stopped := make(chan string, 1), make(chan error, 1)
	go func() {
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			answers <- err.Error()
			return
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			raw = []byte(err.Error())
		}
		answers <- string(raw)
	}()
	<-began
	go func() { stopped <- server.Config.Shutdown(context.Background()) }()
	close(goOn)
	require.JSONEq(t, `{"statuses":[{"entryId":"0","status":"SUCCESS"}]}`, <-answers)
	require.NoError(t, <-stopped)
	require.Equal(t, 1, c.count("effects"))
}

// counted are the events by outcome, topic and type.
func counted(t *testing.T) map[string]float64 {
	got := map[string]float64{}
	for _, m := range metrictest.Of(t, "taskwire_events_consumed_total") {
		var labels []string
		for _, l := range m.GetLabel() { // sorted by name
			labels = append(labels, l.GetValue())
		}
		got[strings.Join(labels, " ")] = m.GetCounter().GetValue()
	}
	return got
}

func TestWhatBecomesOfEventsIsCounted(t *testing.T) {
	before := counted(t)
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			for _, e := range events {
				if e.Key == "bad" {
					return errors.New("not now")
				}
			}
			return nil
		})
	})
	a := record(t, "a")
	c.deliver(a, a, record(t, "bad"), []byte(`{"type":"anything at all"}`))
	after := counted(t)
	for labels, want := range map[string]float64{
		"handled task-events task.created": 1, "duplicate task-events task.created": 1,
		"retry task-events task.created": 1, "dead_letter task-events other": 1,
	} {
		require.InDelta(t, want, after[labels]-before[labels], 0, labels)
	}
}
