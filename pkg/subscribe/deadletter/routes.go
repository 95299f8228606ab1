package deadletter

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/taskwire/taskwire/pkg/auth"
	"github.com/taskwire/taskwire/pkg/httpapi"
	"github.com/taskwire/taskwire/pkg/operator"
	"github.com/taskwire/taskwire/pkg/page"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

const (
	// shownReason is how many characters of a reason an answer shows.
	shownReason = 500
	// shownType is how many characters of a type an answer shows: anyone who may publish chooses it.
	shownType = 100
)

// Routes are what task-api asks a consumer for its operators: how far it is, and what
// the command does, by the same means.
func Routes(events *subscribe.Subscriber, failures httpapi.Failures) func(huma.API) {
	return func(api huma.API) {
		r := routes{events}
		operation := func(id, method, path string) huma.Operation {
			return huma.Operation{OperationID: id, Method: method, Path: path, Hidden: true, Security: httpapi.Authenticated}
		}
		httpapi.Register(api, failures, operation("operator-state", http.MethodGet, operator.StatePath), r.state)
		httpapi.Register(api, failures, operation("operator-dead-letters", http.MethodGet, operator.LettersPath), r.list)
		httpapi.Register(api, failures, operation("operator-replay", http.MethodPost, operator.ReplayPath), r.replay)
		httpapi.Register(api, failures, operation("operator-discard", http.MethodPost, operator.DiscardPath), r.discard)
	}
}

type routes struct{ events *subscribe.Subscriber }

func (r routes) state(ctx context.Context, _ *struct{}) (*struct{ Body operator.State }, error) {
	upTo, err := r.events.Handled(ctx)
	if err != nil {
		return nil, err
	}
	out := operator.State{Topics: []operator.Handled{}}
	for topic, at := range upTo {
		h := operator.Handled{Topic: topic}
		if !at.IsZero() {
			at = at.UTC()
			h.UpTo = &at
		}
		out.Topics = append(out.Topics, h)
	}
	slices.SortFunc(out.Topics, func(a, b operator.Handled) int { return strings.Compare(a.Topic, b.Topic) })
	out.DeadLetters, _, err = r.events.CountLetters(ctx, subscribe.LetterFilter{})
	return &struct{ Body operator.State }{out}, err
}

// place is where a page of letters begins: behind one.
type place struct {
	After int64 `json:"a"`
}

func (r routes) list(ctx context.Context, in *struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"50"`
	Cursor string `query:"cursor" maxLength:"100"`
},
) (*struct{ Body operator.DeadLetters }, error) {
	var from place
	if in.Cursor != "" {
		if err := page.DecodeCursor(in.Cursor, &from); err != nil {
			return nil, err
		}
	}
	found, err := r.events.Letters(ctx, subscribe.LetterFilter{After: from.After, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	letters := make([]operator.DeadLetter, len(found))
	for i, l := range found {
		letters[i] = operator.DeadLetter{
			ID: l.ID, Topic: l.Topic, Type: short(l.Type, shownType), Reason: short(l.Reason, shownReason),
			Size: l.Size, ReceivedAt: l.ReceivedAt.UTC(), Replays: l.Replays,
		}
	}
	out := operator.DeadLetters{}
	out.Items, out.NextCursor, err = page.Cut(letters, in.Limit, func(last int) any { return place{letters[last].ID} })
	return &struct{ Body operator.DeadLetters }{out}, err
}

type settled struct{ Body operator.Settled }

func (r routes) replay(ctx context.Context, in *struct {
	ID int64 `path:"id" minimum:"1"`
},
) (*settled, error) {
	err := r.events.ReplayLetter(ctx, in.ID, who(ctx))
	if done, err := outcome(err, operator.Replayed); done != nil || err != nil {
		return done, err
	}
	if ctx.Err() != nil {
		return nil, err
	}
	// What the command would print: the letter stays open, and has it in its history.
	return &settled{operator.Settled{Outcome: operator.Failed, Reason: short(err.Error(), shownReason)}}, nil
}

func (r routes) discard(ctx context.Context, in *struct {
	ID   int64 `path:"id" minimum:"1"`
	Body operator.Discard
},
) (*settled, error) {
	reason := strings.TrimSpace(in.Body.Reason)
	if reason == "" {
		return nil, httpapi.Invalid("body.reason", "says nothing")
	}
	err := r.events.DiscardLetter(ctx, in.ID, who(ctx), reason)
	if done, err := outcome(err, operator.Discarded); done != nil || err != nil {
		return done, err
	}
	return nil, err
}

// who is the operator, as the history of a letter names him: by what stays no secret of
// his when he is gone.
func who(ctx context.Context) string { return "user/" + auth.CallerOf(ctx).UserID.String() }

// outcome is what became of a letter where that is certain; neither where err says more.
func outcome(err error, done string) (*settled, error) {
	switch {
	case err == nil:
		return &settled{operator.Settled{Outcome: done}}, nil
	case errors.Is(err, subscribe.ErrNoLetter):
		return nil, httpapi.NotFound("dead letter")
	case errors.Is(err, subscribe.ErrResolved):
		return &settled{operator.Settled{Outcome: operator.Resolved, Reason: err.Error()}}, nil
	}
	return nil, nil //nolint:nilnil // the caller says what any other error means
}
