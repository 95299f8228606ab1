package subscribe

import (
	"context"
	"errors"
	"log/slog"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/go-chi/chi/v5"
	"github.com/uptrace/bun"
	"golang.org/x/sync/semaphore"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/outage"
)

const (
	// causes is how many different failures of a topic are logged before it works again.
	causes = 5
	// calm is longer than it takes until an event that could not be handled is
	// delivered again, and fails again: those of other keys are handled meanwhile.
	calm = 15 * time.Second
)

// Event is an event as a handler gets it.
type Event struct {
	cloudevents.Event
	Topic string
	Key   string
}

// TraceParent is the W3C traceparent of the request that caused the event, or "".
func (e Event) TraceParent() string {
	// An extension of another type than text is no traceparent.
	s, err := types.ToString(e.Extensions()[event.ExtensionTraceParent])
	if err != nil {
		return ""
	}
	return s
}

// Options are what a Subscriber needs.
type Options struct {
	DB          *bun.DB
	Schema      string // holds the inbox and the dead letters
	AppAPIToken string // what the sidecar proves itself with
	// Retention is that of the event log. The inbox remembers for longer.
	Retention time.Duration
	// Erased knows who was erased, of whom no dead letter keeps anything. Nil: nobody.
	Erased *erasure.Keeper
	Log    *slog.Logger
	Now    func() time.Time
}

// InTx handles events in the transaction that marks them as handled. It sees
// only events that were never handled, in order, of one delivery or several. An error
// undoes all of it; each event is then tried alone. Ctx continues the trace of an event that is
// alone; each of several has its own TraceParent.
type InTx func(ctx context.Context, tx bun.Tx, events []Event) error

// Idempotent handles an event whose effect lies outside the database. No
// transaction is open. Ctx continues the event's trace.
type Idempotent func(ctx context.Context, e Event) error

// Subscriber answers the sidecar on the event routes of one service.
type Subscriber struct {
	Options
	topics  map[string]effect
	checks  map[string]func(Event) error
	only    map[string]event.Relevance
	failing map[string]*outage.Outage // by topic
	unknown *outage.Outage            // a topic that is not in topics

	// replaying is set where an operator waits for the answer: what fails is
	// told to him, and dead-lettered no second time.
	replaying bool
	room      *semaphore.Weighted // bytes of deliveries that may come in
	progress  *progress
}

// effect applies events that are well-formed, and says of each what to answer:
// nil for handled.
type effect interface {
	apply(ctx context.Context, s *Subscriber, events []delivery) []error
	// try says what would come of an event, and leaves everything as it is.
	try(ctx context.Context, s *Subscriber, d delivery) (Outlook, error)
}

// New returns a Subscriber without topics.
func New(o Options) *Subscriber {
	return &Subscriber{
		Options: o, topics: map[string]effect{}, checks: map[string]func(Event) error{}, only: map[string]event.Relevance{}, failing: map[string]*outage.Outage{},
		unknown: &outage.Outage{Log: o.Log, Gone: "events came for a topic that has no handler; correct the subscription", Causes: causes},
		room:    semaphore.NewWeighted(maxInHand), progress: &progress{upTo: map[string]time.Time{}},
	}
}

// InTx handles the events of a topic by h.
func (s *Subscriber) InTx(topic string, h InTx) { s.add(topic, &inTx{InTx: h, within: togetherTime}) }

// Idempotent handles the events of a topic by h.
func (s *Subscriber) Idempotent(topic string, h Idempotent) {
	s.add(topic, &idempotent{Idempotent: h})
}

func (s *Subscriber) add(topic string, e effect) {
	s.topics[topic] = e
	s.failing[topic] = &outage.Outage{
		Log: s.Log.With("topic", topic), Gone: "an event could not be handled; it will be delivered again", Back: "events are handled again",
		Causes: causes, Calm: calm,
	}
}

// Check has c say why an event of an Idempotent topic can never be handled, as far as that
// shows without any effect: so much an operator can be told of a dead letter beforehand.
func (s *Subscriber) Check(topic string, c func(Event) error) { s.checks[topic] = c }

// Only has the events of a topic that are not relevant acknowledged without a handler and
// without the database. They count as handled.
func (s *Subscriber) Only(topic string, relevant event.Relevance) { s.only[topic] = relevant }

// relevant says whether an event has to have an effect.
func (s *Subscriber) relevant(e Event) bool {
	only := s.only[e.Topic]
	return only == nil || only(e.Type(), e.Data())
}

// Mount adds the event routes, /events/{topic}, for the sidecar alone.
// The subscriptions themselves are declared in dapr/components.
func (s *Subscriber) Mount(r chi.Router) {
	r.Group(func(r chi.Router) {
		r.Use(auth.SidecarOnly(s.AppAPIToken))
		// The sidecar asks; a 404 would be logged as a fault.
		r.Get("/dapr/subscribe", noSubscriptions)
		for topic, effect := range s.topics {
			countFromZero(topic)
			r.Post("/events/"+topic, s.receive(topic, effect))
		}
		r.Post("/events/*", s.refuse)
	})
}

type poison struct{ error }

func (p poison) Unwrap() error { return p.error }

// Poison marks an error as one that trying again can not mend: the event is
// stored as a dead letter with the error as its reason.
func Poison(err error) error {
	if err == nil {
		return nil
	}
	return poison{err}
}

func isPoison(err error) bool {
	var p poison
	return errors.As(err, &p)
}
