package subscribe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/telemetry"
)

// errBehind is the fate of an event whose key has a failed one before it.
var errBehind = errors.New("an earlier event of this key has to be handled first")

// inTx is an InTx of a topic. Deliveries that come while a transaction of the topic is
// under way go into the next one together.
type inTx struct {
	InTx
	within time.Duration // how long several events are tried in one transaction
	atOnce *AtOnce       // nil: there is none
	rounds coalescer[[]error]
}

func (h *inTx) apply(ctx context.Context, s *Subscriber, batch []delivery) []error {
	if s.replaying {
		return h.round(ctx, s, [][]delivery{batch})[0]
	}
	errs, err := h.rounds.do(ctx, batch, func(ctx context.Context, round []*waiter[[]error]) {
		batches := make([][]delivery, len(round))
		for i, r := range round {
			batches[i] = r.batch
		}
		for i, errs := range h.round(ctx, s, batches) {
			round[i].result = errs
		}
	})
	if err != nil {
		return repeat(err, len(batch))
	}
	return errs
}

// togetherTime is how long several events are tried in one transaction. In what is left
// of the round each is handled by itself: slow ones get somewhere, however many there
// are, and the next delivery goes on behind them.
const togetherTime = roundTime / 3

// round tries all events in one transaction, when that fails or takes too long those of
// each delivery, and when that does each event alone.
func (h *inTx) round(ctx context.Context, s *Subscriber, batches [][]delivery) [][]error {
	errs := make([][]error, len(batches))
	events := slices.Concat(batches...)
	err := h.together(ctx, s, events)
	vain := len(events) == 1 || unreachable(ctx, err) && !errors.Is(err, errSlow)
	failed := map[string]bool{} // keys, across deliveries
	for i, batch := range batches {
		switch {
		case err == nil:
			errs[i] = make([]error, len(batch))
		case vain:
			errs[i] = make([]error, len(batch))
			for j, d := range batch {
				errs[i][j] = s.verdict(ctx, d, err)
			}
		case len(batches) > 1 && len(batch) > 1 && !holds(failed, batch) && h.together(ctx, s, batch) == nil:
			errs[i] = make([]error, len(batch))
		default:
			errs[i] = inOrder(batch, failed, func(d delivery) error {
				return s.verdict(ctx, d, h.together(ctx, s, []delivery{d}))
			})
		}
	}
	return errs
}

// holds says whether one of the events has one of the keys.
func holds(keys map[string]bool, batch []delivery) bool {
	return slices.ContainsFunc(batch, func(d delivery) bool { return keys[d.Key] })
}

// unreachable says whether trying each event alone is in vain.
func unreachable(ctx context.Context, err error) bool {
	return ctx.Err() != nil || database.IsTransient(err) && !database.IsConflict(err)
}

// errSlow is of events that together took longer than they may.
var errSlow = errors.New("the events take too long in one transaction")

func (h *inTx) together(ctx context.Context, s *Subscriber, batch []delivery) (err error) {
	if len(batch) > 1 {
		round := ctx
		within, cancel := context.WithTimeout(ctx, h.within)
		defer cancel()
		defer func() {
			if err != nil && within.Err() != nil && round.Err() == nil {
				err = errors.Join(errSlow, err)
			}
		}()
		ctx = within
	}
	ctx, spans := telemetry.Processing(ctx, batch[0].Topic, traced(batch))
	defer func() { spans.End(err) }()
	isNew, err := h.inOneStatement(ctx, s, batch)
	if err != nil && unreachable(ctx, err) {
		return err
	}
	if failed := err; err != nil || isNew == nil { // what is wrong with an event, the handler says
		if isNew, err = h.inTransaction(ctx, s, batch); err != nil {
			return err
		}
		if failed != nil {
			s.Log.WarnContext(ctx, "events were handled in a transaction, as the one statement for them failed", "error", failed, "topic", batch[0].Topic, "events", len(batch))
		}
	}
	for i, d := range batch {
		if isNew[i] {
			s.handled(d)
		} else {
			s.count(d, outcomeDuplicate)
		}
	}
	return nil
}

// inTransaction says which events were not handled before: those the handler has handled.
func (h *inTx) inTransaction(ctx context.Context, s *Subscriber, batch []delivery) (isNew []bool, err error) {
	err = s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		var err error
		// Before the handler looks at anything: only a transaction that has written has an id,
		// by which an erasure waits for it (erasure.Keeper).
		if isNew, err = s.recordHandled(ctx, tx, batch); err != nil {
			return err
		}
		var events []Event
		for i, d := range batch {
			if isNew[i] {
				events = append(events, d.Event)
			}
		}
		if len(events) == 0 {
			return nil
		}
		return guarded(func() error { return h.InTx(ctx, tx, events) })
	})
	return isNew, err
}

// errTried ends a transaction that was a try.
var errTried = errors.New("it was a try")

// try handles the event in a transaction that is undone.
func (h *inTx) try(ctx context.Context, s *Subscriber, d delivery) (Outlook, error) {
	outlook := WouldBeHandled
	err := s.DB.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		isNew, err := s.recordHandled(ctx, tx, []delivery{d})
		switch {
		case err != nil:
			return err
		case !isNew[0]:
			outlook = HasHadEffect
		default:
			if err := guarded(func() error { return h.InTx(ctx, tx, []Event{d.Event}) }); err != nil {
				return err
			}
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return outlook, nil
	}
	return "", err
}

const (
	// recordEvery is how long handled events of a batch wait to be recorded: what a
	// batch that is ended in the middle does a second time.
	recordEvery = time.Second
	// recordTime is how long that may take, whatever has become of the delivery.
	recordTime = 5 * time.Second

	// What handlers wait for is away when so many in a row have failed after so long. The
	// others of the delivery are left for the next one: each would wait as long again,
	// and a delivery would outlast the outage by minutes. One event that fails so by
	// itself keeps no other from being handled.
	mostWaits = 2
	longWait  = time.Second
)

var errAway = errors.New("what the handlers need does not answer; the event waits for the next delivery")

// idempotent is an Idempotent of a topic. Deliveries that come in at the same time are
// looked up and recorded together; their handlers run side by side.
type idempotent struct {
	Idempotent
	lookups coalescer[looked]
	records coalescer[error]
}

// looked is what was found of a batch in the inbox.
type looked struct {
	events map[identity]bool
	err    error
}

// lookUp says which of the events are in the inbox.
func (h *idempotent) lookUp(ctx context.Context, s *Subscriber, batch []delivery) (map[identity]bool, error) {
	found, err := h.lookups.do(ctx, batch, func(ctx context.Context, round []*waiter[looked]) {
		events, err := s.known(ctx, all(round))
		for _, r := range round {
			r.result = looked{events, err}
		}
	})
	return found.events, errors.Join(err, found.err)
}

// record writes the events into the inbox.
func (h *idempotent) record(ctx context.Context, s *Subscriber, batch []delivery) error {
	// What was done is told even when nobody waits for the answer any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	failed, err := h.records.do(ctx, batch, func(ctx context.Context, round []*waiter[error]) {
		ctx, cancel := context.WithTimeout(ctx, recordTime)
		defer cancel()
		_, err := s.recordHandled(ctx, s.DB, all(round))
		for _, r := range round {
			r.result = err
		}
	})
	return errors.Join(err, failed)
}

// all are the events of a round.
func all[R any](round []*waiter[R]) []delivery {
	var events []delivery
	for _, r := range round {
		events = append(events, r.batch...)
	}
	return events
}

// apply runs each event that was not handled before, and records those that
// succeeded, again and again on the way: the sidecar ends a delivery that takes
// too long and makes it anew, which then goes on where this one was ended.
func (h *idempotent) apply(ctx context.Context, s *Subscriber, batch []delivery) []error {
	before, err := h.lookUp(ctx, s, batch)
	if err != nil {
		s.failed(ctx, batch[0], err)
		return repeat(err, len(batch))
	}
	now := map[identity]bool{} // handled in this delivery
	var done, duplicates []delivery
	recorded := time.Now()
	record := func() error {
		recorded = time.Now()
		if len(done) == 0 {
			return nil
		}
		if err := h.record(ctx, s, done); err != nil {
			return err
		}
		for _, d := range done {
			s.handled(d)
		}
		done = nil
		return nil
	}
	waited := 0 // failures in a row, each of which took its time
	errs := inOrder(batch, map[string]bool{}, func(d delivery) error {
		if before[d.identity()] || now[d.identity()] {
			duplicates = append(duplicates, d)
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if waited >= mostWaits {
			return errAway
		}
		ctx, span := telemetry.Processing(ctx, d.Topic, traced([]delivery{d}))
		began := time.Now()
		err := guarded(func() error { return h.Idempotent(ctx, d.Event) })
		span.End(err)
		if err != nil {
			if time.Since(began) >= longWait {
				waited++
			}
			return s.verdict(ctx, d, err)
		}
		waited = 0
		done = append(done, d)
		now[d.identity()] = true
		if time.Since(recorded) >= recordEvery {
			if err := record(); err != nil {
				s.Log.DebugContext(ctx, "handled events could not be recorded; it is tried again at the end of the delivery", "topic", d.Topic, "error", err)
			}
		}
		return nil
	})
	if err := record(); err != nil {
		// The effects stand. All are delivered again, which changes nothing.
		s.failed(ctx, batch[0], err)
		return repeat(err, len(batch))
	}
	for _, d := range duplicates {
		s.count(d, outcomeDuplicate)
	}
	return errs
}

// try looks whether the event was handled, and whether something speaks against it. The
// handler is not run: its effect could not be undone.
func (h *idempotent) try(ctx context.Context, s *Subscriber, d delivery) (Outlook, error) {
	known, err := s.known(ctx, []delivery{d})
	if err != nil {
		return "", err
	}
	if known[d.identity()] {
		return HasHadEffect, nil
	}
	check := s.checks[d.Topic]
	if check == nil {
		return MayBeHandled, nil
	}
	return MayBeHandled, guarded(func() error { return check(d.Event) })
}

// traced are the messages of a batch, as spans name them.
func traced(batch []delivery) []telemetry.Message {
	messages := make([]telemetry.Message, len(batch))
	for i, d := range batch {
		messages[i] = telemetry.Message{ID: d.ID(), Type: d.Type(), TraceParent: d.TraceParent()}
	}
	return messages
}

// inOrder handles events one by one; those behind a failed one of their key
// are not tried. Failed are the keys of those before, and gets more.
func inOrder(batch []delivery, failed map[string]bool, handle func(delivery) error) []error {
	errs := make([]error, len(batch))
	for i, d := range batch {
		if failed[d.Key] {
			errs[i] = errBehind
			continue
		}
		if errs[i] = handle(d); errs[i] != nil && d.Key != "" {
			failed[d.Key] = true
		}
	}
	return errs
}

func repeat(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// verdict decides what becomes of an event whose handler failed.
func (s *Subscriber) verdict(ctx context.Context, d delivery, err error) error {
	if err == nil || s.replaying {
		return err
	}
	if isPoison(err) || database.IsUnstorable(err) {
		return s.deadLetter(ctx, d, err)
	}
	s.failed(ctx, d, err)
	return fmt.Errorf("handle event %s: %w", d.ID(), err)
}
