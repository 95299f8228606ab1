package subscribe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/database"
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
			httpapi.Unavailable("there was no room for the delivery").Write(w, r)
			return
		}
		defer s.room.Release(room)
		body := bytes.NewBuffer(make([]byte, 0, min(max(r.ContentLength, 0), maxInHand)+bytes.MinRead))
		if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, maxBody)); err != nil {
			// Not read to its end: the sidecar delivers it again.
			httpapi.Unavailable("the delivery could not be read").Write(w, r)
			return
		}
		if deliveries, ok := readBulk(topic, body.Bytes()); ok {
			statuses := make([]status, len(deliveries))
			for i, err := range s.handle(r.Context(), effect, deliveries) {
				statuses[i] = status{deliveries[i].entryID, statusOf(err)}
			}
			answer(w, map[string]any{"statuses": statuses})
			return
		}
		errs := s.handle(r.Context(), effect, []delivery{newDelivery(topic, "", unwrap(body.Bytes()), metadataOf(r.Header))})
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

// handle sees each delivery to its end; nil stands for an acknowledgement.
func (s *Subscriber) handle(ctx context.Context, effect effect, deliveries []delivery) []error {
	errs := make([]error, len(deliveries))
	var good []delivery
	var index []int
	blocked := map[string]bool{}
	for i := range deliveries {
		d := &deliveries[i]
		parsed, err := decode(d.Topic, d.raw)
		d.Event.Event = parsed
		d.takeKey()
		if d.Key != "" && blocked[d.Key] {
			errs[i] = errBehind
			continue
		}
		if err != nil {
			if errs[i] = s.verdict(ctx, *d, Poison(err)); errs[i] != nil {
				blocked[d.Key] = true
			}
			continue
		}
		if !s.relevant(d.Event) {
			s.handled(*d)
			continue
		}
		good, index = append(good, *d), append(index, i)
	}
	if len(good) > 0 {
		for j, err := range effect.apply(ctx, s, good) {
			errs[index[j]] = err
		}
	}
	whole := true
	for i, err := range errs {
		if err != nil {
			whole = false
			s.count(deliveries[i], outcomeRetry)
		}
	}
	if whole && len(deliveries) > 0 {
		s.failing[deliveries[0].Topic].Worked()
	}
	return errs
}

// failed logs why events will be delivered again, which is every second: each cause
// once.
func (s *Subscriber) failed(ctx context.Context, d delivery, err error) {
	if s.replaying || database.IsOutage(err) {
		return // the operator is told; the log has it
	}
	attrs := []any{"event_id", d.ID(), "type", d.Type()}
	if p := (*panicked)(nil); errors.As(err, &p) {
		attrs = append(attrs, "stack", p.stack)
	}
	s.failing[d.Topic].Failed(ctx, err, attrs...)
}

// panicked is the panic of a handler.
type panicked struct {
	cause any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("the handler panicked: %v", p.cause) }

// guarded runs a handler; its panic is an error.
func guarded(f func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &panicked{cause, string(debug.Stack())}
		}
	}()
	return f()
}

// refuse answers for a topic that the service does not handle. A 404 would
// have the sidecar throw its events away.
func (s *Subscriber) refuse(w http.ResponseWriter, r *http.Request) {
	s.unknown.Failed(r.Context(), fmt.Errorf("no handler for topic %q", chi.URLParam(r, "*")))
	httpapi.Unavailable("no handler for this topic").Write(w, r)
}

func noSubscriptions(w http.ResponseWriter, _ *http.Request) { answer(w, []any{}) }
