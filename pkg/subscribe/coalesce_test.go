package subscribe

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hold takes the turn in b until the function that it returns is called.
func hold(t *testing.T, b *coalescer[int]) (release func()) {
	began, goOn, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = b.do(t.Context(), nil, func(context.Context, []*waiter[int]) { close(began); <-goOn })
	}()
	<-began
	return func() { close(goOn); <-ended }
}

// waits waits until n deliveries wait for their turn.
func waits(t *testing.T, b *coalescer[int], n int) {
	require.Eventually(t, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.waiting) == n
	}, 10*time.Second, time.Millisecond)
}

func TestARoundIsBounded(t *testing.T) {
	large := []delivery{{raw: make([]byte, roundBytes+1)}}
	for name, c := range map[string]struct {
		batches [][]delivery
		rounds  []int // deliveries in each
	}{
		"in events":                        {[][]delivery{make([]delivery, roundEvents-1), make([]delivery, 1), make([]delivery, 1)}, []int{2, 1}},
		"in bytes":                         {[][]delivery{{{raw: make([]byte, roundBytes-1)}}, {{raw: []byte("x")}}, {{raw: []byte("x")}}}, []int{2, 1}},
		"one that is too large goes alone": {[][]delivery{large, large, make([]delivery, 1), make([]delivery, 1)}, []int{1, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			var b coalescer[int]
			release := hold(t, &b)
			var rounds []int
			answers := make(chan int)
			for i, batch := range c.batches {
				go func() {
					got, err := b.do(t.Context(), batch, func(_ context.Context, round []*waiter[int]) {
						rounds = append(rounds, len(round)) // no two at a time
						for _, s := range round {
							s.result = len(s.batch)
						}
					})
					if err != nil {
						t.Error(err)
					}
					answers <- got - len(batch)
				}()
				waits(t, &b, i+1)
			}
			release()
			for range c.batches {
				require.Zero(t, <-answers, "each gets its own outcome")
			}
			require.Equal(t, c.rounds, rounds)
		})
	}
}

func TestWhoHasGoneLeavesTheQueueAndEndsNoRound(t *testing.T) {
	var b coalescer[int]
	release := hold(t, &b)
	ctx, leave := context.WithCancel(t.Context())
	outcomes := make(chan error)
	wait := func(ctx context.Context, work func(context.Context, []*waiter[int])) {
		_, err := b.do(ctx, make([]delivery, 1), work)
		outcomes <- err
	}
	go wait(ctx, func(context.Context, []*waiter[int]) { t.Error("it leads no round") })
	waits(t, &b, 1)
	leave()
	require.ErrorIs(t, <-outcomes, context.Canceled)

	// One that goes while its round is under way.
	ctx, leave = context.WithCancel(t.Context())
	go wait(ctx, func(ctx context.Context, round []*waiter[int]) {
		leave()
		if len(round) != 2 || ctx.Err() != nil {
			t.Errorf("%d in the round, %v", len(round), ctx.Err())
		}
	})
	waits(t, &b, 1)
	go wait(t.Context(), nil)
	waits(t, &b, 2)
	release()
	require.NoError(t, <-outcomes)
	require.NoError(t, <-outcomes)
}

func TestAPanicPassesTheTurnOnAndAcknowledgesNothing(t *testing.T) {
	var b coalescer[int]
	release := hold(t, &b)
	outcomes := make(chan error)
	go func() {
		defer func() {
			err, _ := recover().(error)
			outcomes <- err
		}()
		_, _ = b.do(t.Context(), make([]delivery, roundEvents-1), func(context.Context, []*waiter[int]) { panic(errors.ErrUnsupported) })
	}()
	waits(t, &b, 1)
	for i := range 2 { // the second is of the next round
		go func() {
			_, err := b.do(t.Context(), make([]delivery, 1), func(context.Context, []*waiter[int]) {})
			outcomes <- err
		}()
		waits(t, &b, i+2)
	}
	release()
	require.ElementsMatch(t, []error{errors.ErrUnsupported, errDropped, nil}, []error{<-outcomes, <-outcomes, <-outcomes})
}
