package subscribe

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/httpapi"
)

// maxBody is the most that a delivery may hold, in bytes: 100 records (the
// subscriptions' maxMessagesCount) of 1 MiB (the broker's limit), in base64.
// A larger one could never be taken in, and would block its partition.
const maxBody = 160 << 20

var events = promauto.NewCounterVec(prometheus.CounterOpts{
	Name: "taskwire_events_consumed_total",
	Help: "Events by what became of them: handled, duplicate, dead_letter or retry.",
}, []string{"topic", "outcome"})

// delivery is one record of a broker on its way through this package.
type delivery struct {
	Event
	entryID  string
	raw      []byte
	metadata map[string]string
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
		if err := json.Unmarshal(body, &bulk); err == nil && bulk.Entries != nil {
			deliveries := make([]delivery, len(*bulk.Entries))
			for i, e := range *bulk.Entries {
				deliveries[i] = delivery{entryID: e.EntryID, raw: unwrap(e.Event), metadata: e.Metadata, Event: Event{Topic: topic, Key: e.Metadata["__key"]}}
			}
			statuses := make([]status, len(deliveries))
			for i, err := range s.handle(r.Context(), effect, deliveries) {
				statuses[i] = status{deliveries[i].entryID, statusOf(err)}
			}
			answer(w, map[string]any{"statuses": statuses})
			return
		}
		// The sidecar passes the metadata of a single record on as headers.
		key := r.Header.Get("Metadata.__key")
		errs := s.handle(r.Context(), effect, []delivery{{raw: unwrap(body), Event: Event{Topic: topic, Key: key}}})
		answer(w, map[string]any{"status": statusOf(errs[0])})
	}
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

// unwrap returns the bytes of a record. A raw record comes as base64 text (in
// a bulk), or as data_base64 of an event that the sidecar made around it; an
// event that the sidecar has parsed comes as it is.
func unwrap(raw json.RawMessage) []byte {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if data, err := base64.StdEncoding.DecodeString(text); err == nil {
			return data
		}
		return []byte(text)
	}
	var wrapper struct {
		Type string  `json:"type"`
		Data *string `json:"data_base64"`
	}
	if json.Unmarshal(raw, &wrapper) == nil && wrapper.Type == "com.dapr.event.sent" && wrapper.Data != nil {
		if data, err := base64.StdEncoding.DecodeString(*wrapper.Data); err == nil {
			return data
		}
	}
	return raw
}

// handle sees each delivery to its end; nil stands for an acknowledgement.
func (s *Subscriber) handle(ctx context.Context, effect effect, deliveries []delivery) []error {
	errs := make([]error, len(deliveries))
	var good []delivery
	var index []int
	for i := range deliveries {
		d := &deliveries[i]
		parsed, err := event.Decode(d.raw)
		d.Event.Event = parsed
		if err != nil {
			errs[i] = s.bury(ctx, *d, err)
			continue
		}
		if d.Key == "" {
			if key, ok := parsed.Extensions()[event.ExtensionPartitionKey].(string); ok {
				d.Key = key
			}
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
			events.WithLabelValues(deliveries[i].Topic, "retry").Inc()
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

func noSubscriptions(w http.ResponseWriter, _ *http.Request) { answer(w, []any{}) }
