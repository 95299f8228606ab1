package subscribe

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/go-chi/chi/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// maxBody is the most that a delivery may hold, in bytes: 100 records (the
// subscriptions' maxMessagesCount) of 1 MiB (the broker's limit), in base64.
// A larger one could never be taken in, and would block its partition.
const maxBody = 160 << 20

// maxInHand is how much of deliveries is in memory at once, in bytes as they
// come; decoded they take several times as much. What does not fit waits unread
// in its connection, and the sidecar takes no more from the broker: a consumer
// that is slower than its topic does not grow.
const maxInHand = 32 << 20

var consumed = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_events_consumed_total",
	Help: "Events by what became of them: handled, duplicate, dead_letter or retry.",
}, []string{"topic", "type", "outcome"})

var lag = promauto.NewHistogramVec(prometheus.HistogramOpts{
	Name:    "taskwire_consumer_lag_seconds",
	Help:    "Time from when an event happened to when its effect was there.",
	Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 86400},
}, []string{"topic"})

// What became of a delivery, in the metric.
const (
	outcomeHandled    = "handled"
	outcomeDuplicate  = "duplicate"
	outcomeDeadLetter = "dead_letter"
	outcomeRetry      = "retry"
)

// other is the label of a type that is not the suite's.
const other = "other"

// typesOf are the labels of the types that the suite publishes on a topic.
func typesOf(topic string) []string {
	switch topic {
	case event.TopicTasks:
		return []string{event.TaskCreated, event.TaskUpdated, event.TaskCompleted, event.TaskDeleted}
	case event.TopicReminders:
		return []string{event.ReminderDue}
	case event.TopicAudit:
		return []string{"audit"}
	default:
		return nil
	}
}

// countFromZero makes the counters of a topic: an increase is seen from a value
// that was there before it, and the first step would be missed.
func countFromZero(topic string) {
	for _, kind := range append(typesOf(topic), other) {
		for _, outcome := range []string{outcomeHandled, outcomeDuplicate, outcomeDeadLetter, outcomeRetry} {
			consumed.WithLabelValues(topic, kind, outcome)
		}
	}
}

func (s *Subscriber) count(d delivery, outcome string) {
	consumed.WithLabelValues(d.Topic, d.label(), outcome).Inc()
	if outcome != outcomeRetry && d.Source() == event.Source {
		s.progress.advance(d.Topic, d.Time(), s.Now())
	}
}

// handled counts an event that has had its effect for the first time.
func (s *Subscriber) handled(d delivery) {
	s.count(d, outcomeHandled)
	if at := d.Time(); !at.IsZero() {
		lag.WithLabelValues(d.Topic).Observe(max(s.Now().Sub(at).Seconds(), 0))
	}
}

// delivery is one record of a broker on its way through this package.
type delivery struct {
	Event
	entryID  string
	raw      []byte
	metadata map[string]string
}

// label is the type of an event for a metric. Anyone who may publish chooses
// types; only the suite's own of the topic become labels.
func (d delivery) label() string {
	kind := d.Type()
	if strings.HasPrefix(kind, event.AuditPrefix) {
		kind = "audit"
	}
	if !slices.Contains(typesOf(d.Topic), kind) {
		return other
	}
	return kind
}

// newDelivery takes a record in. Kafka's key comes as __key; Redis has none,
// and keeps what it was published with.
func newDelivery(topic, entryID string, raw []byte, metadata map[string]string) delivery {
	key := metadata["__key"]
	if key == "" {
		key = metadata["partitionKey"]
	}
	return delivery{entryID: entryID, raw: raw, metadata: metadata, Event: Event{Topic: topic, Key: key}}
}

// entry is a record in a bulk delivery.
type entry struct {
	EntryID  string            `json:"entryId"`
	Event    json.RawMessage   `json:"event"`
	Metadata map[string]string `json:"metadata"`
}

type status struct {
	EntryID string `json:"entryId"`
	Status  string `json:"status"`
}

// receive answers one delivery: a bulk of entries, or a single event.
func (s *Subscriber) receive(topic string, effect effect) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// A length that is not said, or more than there is room for, is let in alone.
		room := r.ContentLength
		if room < 0 || room > maxInHand {
			room = maxInHand
		}
		if err := s.room.Acquire(r.Context(), room); err != nil {
			httpapi.WriteProblem(w, r, http.StatusServiceUnavailable, "there was no room for the delivery")
			return
		}
		defer s.room.Release(room)
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			// Not read to its end: the sidecar delivers it again.
			httpapi.WriteProblem(w, r, http.StatusServiceUnavailable, "the delivery could not be read")
			return
		}
		var bulk struct {
			Entries *[]entry `json:"entries"`
		}
		// What is no JSON object at all is a single event, and a bad one.
		if bytes.Contains(body, []byte(`"entries"`)) && json.Unmarshal(body, &bulk) == nil && bulk.Entries != nil {
			deliveries := make([]delivery, len(*bulk.Entries))
			for i, e := range *bulk.Entries {
				deliveries[i] = newDelivery(topic, e.EntryID, unwrap(e.Event), e.Metadata)
			}
			statuses := make([]status, len(deliveries))
			for i, err := range s.handle(r.Context(), effect, deliveries) {
				statuses[i] = status{deliveries[i].entryID, statusOf(err)}
			}
			answer(w, map[string]any{"statuses": statuses})
			return
		}
		errs := s.handle(r.Context(), effect, []delivery{newDelivery(topic, "", unwrap(body), metadataOf(r.Header))})
		answer(w, map[string]any{"status": statusOf(errs[0])})
	}
}

// metadataOf reads the metadata of a single record: the sidecar passes it on as
// plain headers, among those of the request itself.
func metadataOf(header http.Header) map[string]string {
	metadata := map[string]string{}
	for name, values := range header {
		switch name {
		case "Dapr-Api-Token", "Authorization", "Cookie":
			continue // secrets are nothing to keep in a dead letter
		case "Partitionkey":
			name = "partitionKey" // the letter case was lost on the way
		}
		metadata[name] = strings.Join(values, ", ")
	}
	return metadata
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	// If the sidecar has gone it delivers again; the inbox knows what was done.
	_ = json.NewEncoder(w).Encode(body)
}

func statusOf(err error) string {
	if err != nil {
		return "RETRY"
	}
	return "SUCCESS"
}

// sidecarsType is the type of an event that the sidecar has made around a record.
const sidecarsType = "com.dapr.event.sent"

// unwrap returns the bytes of a record. A raw record comes as base64 text (in
// a bulk), or as data_base64 of an event that the sidecar made around it; one
// that was published without an envelope as data of such an event; and an
// event that the sidecar has parsed comes as it is.
func unwrap(raw json.RawMessage) []byte {
	var text string
	if bytes.HasPrefix(bytes.TrimLeft(raw, " \t\r\n"), []byte{'"'}) && json.Unmarshal(raw, &text) == nil {
		if data, err := base64.StdEncoding.DecodeString(text); err == nil {
			return data
		}
		return []byte(text)
	}
	var wrapper struct {
		Type   string          `json:"type"`
		Base64 *string         `json:"data_base64"`
		Data   json.RawMessage `json:"data"`
	}
	if !bytes.Contains(raw, []byte(sidecarsType)) || json.Unmarshal(raw, &wrapper) != nil || wrapper.Type != sidecarsType {
		return raw
	}
	if wrapper.Base64 != nil {
		if data, err := base64.StdEncoding.DecodeString(*wrapper.Base64); err == nil {
			return data
		}
		return raw
	}
	if json.Unmarshal(wrapper.Data, &text) == nil && text != "" {
		return []byte(text)
	}
	if len(wrapper.Data) > 0 {
		return wrapper.Data
	}
	return raw
}

// maxIdentity is how long source and id may be together, in bytes: Postgres
// indexes no more than 2704, and the inbox indexes both.
const maxIdentity = 1024

// decode parses a record as an event of topic that Postgres can remember.
func decode(topic string, raw []byte) (cloudevents.Event, error) {
	e, err := event.Decode(raw)
	switch {
	case err != nil:
		return e, err
	case e.DataSchema() != event.SchemaURI(topic):
		return e, fmt.Errorf("dataschema %q does not belong on topic %s", e.DataSchema(), topic)
	case len(e.Source())+len(e.ID()) > maxIdentity:
		return e, fmt.Errorf("source and id are longer than %d bytes", maxIdentity)
	case !utf8.Valid(raw) || !utf8.Valid(e.Data()):
		return e, errors.New("not valid UTF-8")
	case holdsNUL(raw) || holdsNUL(e.Data()):
		return e, errors.New("a text holds a NUL character")
	}
	return e, nil
}

// holdsNUL says whether a JSON document has the escape of a NUL in it, the one
// character that JSON can carry and Postgres can not.
func holdsNUL(document []byte) bool {
	for i := 0; i < len(document); i++ {
		if document[i] == '\\' {
			if bytes.HasPrefix(document[i+1:], []byte("u0000")) {
				return true
			}
			i++ // the escaped character, which may be a backslash
		}
	}
	return false
}

// handle sees each delivery to its end; nil stands for an acknowledgement.
func (s *Subscriber) handle(ctx context.Context, effect effect, deliveries []delivery) []error {
	errs := make([]error, len(deliveries))
	var good []delivery
	var index []int
	unburied := map[string]bool{}
	for i := range deliveries {
		d := &deliveries[i]
		parsed, err := decode(d.Topic, d.raw)
		d.Event.Event = parsed
		if d.Key == "" {
			if key, ok := parsed.Extensions()[event.ExtensionPartitionKey].(string); ok {
				d.Key = key
			}
		}
		if d.Key != "" && unburied[d.Key] {
			errs[i] = errBehind
			continue
		}
		if err != nil {
			if errs[i] = s.verdict(ctx, *d, Poison(err)); errs[i] != nil {
				unburied[d.Key] = true
			}
			continue
		}
		good, index = append(good, *d), append(index, i)
	}
	if len(good) > 0 {
		for j, err := range effect.apply(ctx, s, good) {
			errs[index[j]] = err
		}
	}
	for i, err := range errs {
		if err != nil {
			s.count(deliveries[i], outcomeRetry)
		}
	}
	return errs
}

// guarded runs a handler; its panic is an error, with the stack in the log.
func (s *Subscriber) guarded(ctx context.Context, f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.Log.ErrorContext(ctx, "a handler of events panicked", "cause", cause, "stack", string(debug.Stack()))
			err = fmt.Errorf("the handler panicked: %v", cause)
		}
	}()
	return f()
}

// unknown answers for a topic that the service does not handle. A 404 would
// have the sidecar throw its events away.
func (s *Subscriber) unknown(w http.ResponseWriter, r *http.Request) {
	s.Log.ErrorContext(r.Context(), "events came for a topic that has no handler; correct the subscription", "topic", chi.URLParam(r, "*"))
	httpapi.WriteProblem(w, r, http.StatusServiceUnavailable, "no handler for this topic")
}

func noSubscriptions(w http.ResponseWriter, _ *http.Request) { answer(w, []any{}) }
