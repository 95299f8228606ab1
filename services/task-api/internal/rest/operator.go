package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/eventlog"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/operator"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/account"
	"github.com/taskwire/taskwire/services/task-api/internal/feed"
	"github.com/taskwire/taskwire/services/task-api/internal/reconcile"
	"github.com/taskwire/taskwire/services/task-api/internal/refuse"
	"github.com/taskwire/taskwire/services/task-api/internal/task"
)

// stateTime is how long a service has to say how it is. One that does not is shown as away.
const stateTime = 3 * time.Second

// Operator is the operator's corner: how the suite is, and its dead letters.
type Operator struct {
	Users  *account.Store
	Events *eventlog.Watch
	Held   *feed.Held
	// Reconciled is the result of the last reconcile.
	Reconciled func(context.Context) (reconcile.Reconciled, error)
	// Call asks a service for something in the caller's name. Its error says that the service
	// is away.
	Call     func(ctx context.Context, app, method, path string, body any) (status int, answer []byte, err error)
	Now      func() time.Time
	Failures httpapi.Failures
}

// OperatorState is how the suite is.
type OperatorState struct {
	Topics    []TopicState         `json:"topics" nullable:"false" doc:"How far each topic is published"`
	Consumers []ConsumerState      `json:"consumers" nullable:"false" doc:"How far each service is with what it reads"`
	Feed      FeedState            `json:"feed" doc:"The feed of changes"`
	Reconcile reconcile.Reconciled `json:"reconcile" doc:"The last reconcile of a day or more; where there was none yet, when the suite was made"`
}

// TopicState is how far a topic is published.
type TopicState struct {
	Topic             string     `json:"topic" doc:"The topic"`
	Unpublished       int        `json:"unpublished" doc:"How many events no broker has yet; counted up to 100000"`
	OldestUnpublished *time.Time `json:"oldest_unpublished_at" nullable:"true" doc:"When the oldest of them happened; null where there are none"`
	NewestPublishedAt *time.Time `json:"newest_published_at" nullable:"true" doc:"When the newest event happened that is published; null where the log holds none"`
}

// ConsumerState is how a service is that reads topics.
type ConsumerState struct {
	Service     string         `json:"service" enum:"audit-log,recurring-task,notification" example:"notification" doc:"The service"`
	Available   bool           `json:"available" doc:"Whether it has answered in time; of one that has not, nothing more is known"`
	Topics      []HandledState `json:"topics" nullable:"false" doc:"How far it is with each topic"`
	DeadLetters int64          `json:"dead_letters" doc:"How many open dead letters it has"`
}

// HandledState is how far a service is with a topic.
type HandledState struct {
	Topic         string     `json:"topic" doc:"The topic"`
	HandledUpTo   *time.Time `json:"handled_up_to" nullable:"true" doc:"When the newest event happened that it is done with; null before its first"`
	BehindSeconds float64    `json:"behind_seconds" doc:"How much later the newest published event happened; 0 where it is done with that"`
}

// FeedState is how the feed of changes is.
type FeedState struct {
	WaitsSince *time.Time `json:"waits_since" nullable:"true" doc:"Since when changes wait for a transaction to end, as far as was seen; null where none do"`
}

// forOperator adds an operation of an operator who has signed in here. For everybody else it
// is not there; an API token may do nothing of this.
func forOperator[I, O any](api huma.API, o *Operator, op huma.Operation, f handler[I, O]) {
	op.Tags = []string{"Operators"}
	op.Middlewares = append(op.Middlewares, func(c huma.Context, next func(huma.Context)) {
		caller := auth.CallerOf(c.Context())
		if caller.ByToken() { // is refused as everywhere
			next(c)
			return
		}
		is := false
		if caller.SessionID != uuid.Nil { // nobody's word but ours makes an operator
			var err error
			if is, err = o.Users.IsOperator(c.Context(), caller.UserID); err != nil {
				w, r := writerOf(c)
				o.Failures.Write(w, r, err)
				return
			}
		}
		if !is {
			httpapi.NothingHere().Write(writerOf(c))
			return
		}
		caller.Operator = true
		next(huma.WithContext(c, auth.WithCaller(c.Context(), caller)))
	})
	forUser(api, o.Failures, op, f)
}

const lettersPath = "/api/operator/dead-letters/{service}"

// Mount adds the corner.
func (o *Operator) Mount(api huma.API) {
	forOperator(api, o, huma.Operation{
		OperationID: "operator-state", Method: http.MethodGet, Path: "/api/operator/state", Summary: "How the suite is",
		Description: "For operators alone (task-api users operator); for everybody else there is nothing at this address. A service that does not answer within 3 seconds is shown as away.",
		Metadata:    httpapi.Describe(nil, exampleOperatorState, httpapi.NoSuchAddress),
	}, o.state)
	forOperator(api, o, huma.Operation{
		OperationID: "operator-dead-letters", Method: http.MethodGet, Path: lettersPath, Summary: "The open dead letters of a service",
		Description: "The oldest first, without what their records hold: the dead-letters command of the service shows that.",
		Metadata:    httpapi.Describe(nil, operator.DeadLetters{Items: []operator.DeadLetter{exampleLetter}}, httpapi.NoSuchAddress, httpapi.Busy),
	}, o.letters)
	forOperator(api, o, huma.Operation{
		OperationID: "operator-replay", Method: http.MethodPost, Path: lettersPath + "/{letter}/replay", Summary: "Have a dead letter handled again",
		Description: "As dead-letters replay does. It is resolved where its event has had its effect, now or before; otherwise it stays open, and the answer says why. The audit trail says who asked for it. Where the answer is 503 it is not known what became of it: look again.",
		Metadata:    httpapi.Describe(nil, operator.Settled{Outcome: operator.Replayed}, httpapi.SignInAgain, httpapi.NoSuchAddress, httpapi.Missing, httpapi.Busy),
	}, o.replay)
	forOperator(api, o, huma.Operation{
		OperationID: "operator-discard", Method: http.MethodPost, Path: lettersPath + "/{letter}/discard", Summary: "Discard a dead letter",
		Description: "As dead-letters discard does: it is resolved without any effect, and stays on record with the reason.",
		Metadata:    httpapi.Describe(operator.Discard{Reason: exampleDiscard}, operator.Settled{Outcome: operator.Discarded}, httpapi.SignInAgain, httpapi.NoSuchAddress, httpapi.Missing, httpapi.Busy),
	}, o.discard)
}

func (o *Operator) state(ctx context.Context, _ access.Actor, _ *struct{}) (*struct{ Body OperatorState }, error) {
	services := reconcile.Consumers()
	consumers := make([]ConsumerState, len(services))
	answers := make([]operator.State, len(consumers))
	var asking sync.WaitGroup
	for i, service := range services {
		consumers[i] = ConsumerState{Service: service, Topics: []HandledState{}}
		asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, stateTime)
			defer cancel()
			consumers[i].Available = o.ask(ctx, service, operator.StatePath, &answers[i]) == nil
		})
	}
	out := OperatorState{Consumers: consumers}
	newest, err := o.own(ctx, &out)
	asking.Wait()
	if err != nil {
		return nil, err
	}
	for i := range consumers {
		consumers[i].DeadLetters = answers[i].DeadLetters
		for _, h := range answers[i].Topics {
			state := HandledState{Topic: h.Topic, HandledUpTo: h.UpTo}
			if h.UpTo != nil {
				state.BehindSeconds = max(newest[h.Topic].Sub(*h.UpTo).Seconds(), 0)
			}
			consumers[i].Topics = append(consumers[i].Topics, state)
		}
	}
	return &struct{ Body OperatorState }{out}, nil
}

// own adds what task-api knows itself, and returns when the newest published event of each
// topic happened.
func (o *Operator) own(ctx context.Context, out *OperatorState) (newest map[string]time.Time, err error) {
	published, err := o.Events.Look(ctx)
	if err != nil {
		return nil, err
	}
	newest = map[string]time.Time{}
	for _, p := range published {
		newest[p.Topic] = p.Newest
		out.Topics = append(out.Topics, TopicState{p.Topic, p.Waits, momentOf(p.Oldest), momentOf(p.Newest)})
	}
	since, _, err := o.Held.Since(ctx)
	if err != nil {
		return nil, err
	}
	out.Feed.WaitsSince = momentOf(since)
	out.Reconcile, err = o.Reconciled(ctx)
	return newest, err
}

// momentOf is a time in UTC; nil for the zero time.
func momentOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return task.UTC(&t)
}

// ask reads what a service answers at a path.
func (o *Operator) ask(ctx context.Context, service, path string, into any) error {
	status, answer, err := o.Call(ctx, service, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK || json.Unmarshal(answer, into) != nil {
		return unlike(service)
	}
	return nil
}

// unlike is a service of a version that knows nothing of this, or none at all.
func unlike(service string) error {
	return httpapi.Unavailable(service + " does not answer as it should; is it of this version?")
}

func (o *Operator) letters(ctx context.Context, _ access.Actor, in *struct {
	Service string `path:"service" enum:"audit-log,recurring-task,notification" example:"notification" doc:"The service"`
	Limit   int    `query:"limit" minimum:"1" maximum:"100" default:"50" doc:"How many at most"`
	Cursor  string `query:"cursor" maxLength:"100" doc:"next_cursor of the page before"`
},
) (*struct{ Body operator.DeadLetters }, error) {
	query := url.Values{"limit": {strconv.Itoa(in.Limit)}}
	if in.Cursor != "" {
		query.Set("cursor", in.Cursor)
	}
	status, answer, err := o.Call(ctx, in.Service, http.MethodGet, operator.LettersPath+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	out := &struct{ Body operator.DeadLetters }{}
	switch {
	case status == http.StatusUnprocessableEntity:
		return nil, httpapi.Invalid("query.cursor", "not a cursor of this list; leave it out to start from the beginning")
	case status != http.StatusOK || json.Unmarshal(answer, &out.Body) != nil:
		return nil, unlike(in.Service)
	}
	return out, nil
}

func (o *Operator) replay(ctx context.Context, actor access.Actor, in *struct {
	Service string `path:"service" enum:"audit-log,recurring-task,notification" example:"notification" doc:"The service"`
	Letter  int64  `path:"letter" minimum:"1" example:"12" doc:"The dead letter"`
},
) (*settledOutput, error) {
	return o.settle(ctx, actor, event.UserReplayAsked, in.Service, in.Letter, operator.ReplayPath, struct{}{})
}

func (o *Operator) discard(ctx context.Context, actor access.Actor, in *struct {
	Service string `path:"service" enum:"audit-log,recurring-task,notification" example:"notification" doc:"The service"`
	Letter  int64  `path:"letter" minimum:"1" example:"12" doc:"The dead letter"`
	Body    operator.Discard
},
) (*settledOutput, error) {
	if strings.TrimSpace(in.Body.Reason) == "" {
		return nil, refuse.Part("reason", "says nothing")
	}
	return o.settle(ctx, actor, event.UserDiscardAsked, in.Service, in.Letter, operator.DiscardPath, in.Body)
}

type settledOutput struct{ Body operator.Settled }

// settle has a service do something with a dead letter, which the audit trail says first.
func (o *Operator) settle(ctx context.Context, actor access.Actor, action, service string, id int64, path string, body any) (*settledOutput, error) {
	if err := actor.SignedInRecently(o.Now()); err != nil {
		return nil, err
	}
	if err := o.Users.NoteOperator(ctx, actor, action, service, id); err != nil {
		return nil, err
	}
	status, answer, err := o.Call(ctx, service, http.MethodPost, strings.Replace(path, "{id}", strconv.FormatInt(id, 10), 1), body)
	if err != nil {
		return nil, err
	}
	out := &settledOutput{}
	switch {
	case status == http.StatusNotFound:
		return nil, refuse.Missing("dead letter")
	case status != http.StatusOK || json.Unmarshal(answer, &out.Body) != nil:
		return nil, unlike(service)
	}
	return out, nil
}
