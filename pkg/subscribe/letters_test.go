package subscribe_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
	"github.com/taskwire/taskwire/pkg/telemetry/metrictest"
)

// fussy is a consumer that refuses every event for good while it is told to.
func fussy(t *testing.T) (*consumer, *atomic.Bool) {
	var refusing atomic.Bool
	refusing.Store(true)
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			if refusing.Load() {
				return subscribe.Poison(errors.New("not to my taste"))
			}
			return writeAll(ctx, tx, events)
		})
	})
	return c, &refusing
}

func (c *consumer) open(all bool) []subscribe.Letter {
	letters, err := c.Letters(c.t.Context(), subscribe.LetterFilter{Limit: 100, All: all})
	require.NoError(c.t, err)
	return letters
}

// acts are what was done with a letter, as "act outcome operator".
func (c *consumer) acts(id int64) []string {
	_, acts, err := c.Letter(c.t.Context(), id)
	require.NoError(c.t, err)
	var out []string
	for _, a := range acts {
		out = append(out, a.Act+" "+a.Outcome+" "+a.Operator)
	}
	return out
}

func TestAReplayedLetterHasItsEffectOnce(t *testing.T) {
	c, refusing := fussy(t)
	good := record(t, "a")
	require.Equal(t, []string{success}, c.deliver(good))
	letters := c.open(false)
	require.Len(t, letters, 1)
	id := letters[0].ID
	require.Equal(t, len(good), letters[0].Size)

	require.ErrorContains(t, c.ReplayLetter(t.Context(), id, "ada"), "not to my taste")
	require.Len(t, c.open(false), 1, "it stays")
	require.Zero(t, c.count("effects"))
	require.Zero(t, c.count("inbox"))

	refusing.Store(false)
	require.NoError(t, c.ReplayLetter(t.Context(), id, "ada"))
	require.Equal(t, 1, c.count("effects"))
	require.Empty(t, c.open(false))
	require.Equal(t, "replayed", c.open(true)[0].Resolution)

	require.ErrorIs(t, c.ReplayLetter(t.Context(), id, "bob"), subscribe.ErrResolved)
	require.ErrorIs(t, c.DiscardLetter(t.Context(), id, "bob", "late"), subscribe.ErrResolved)
	require.ErrorIs(t, c.ReplayLetter(t.Context(), id+1, "bob"), subscribe.ErrNoLetter)
	require.Equal(t, []string{success}, c.deliver(good), "its record comes again")
	require.Equal(t, 1, c.count("effects"), "the inbox knows it")
	require.Empty(t, c.open(false))
	require.Equal(t, []string{"replay failed ada", "replay resolved ada"}, c.acts(id))
}

func TestALetterWhoseEventWasHandledIsResolved(t *testing.T) {
	c, refusing := fussy(t)
	good := record(t, "a")
	c.deliver(good)
	refusing.Store(false)
	require.Equal(t, []string{success}, c.deliver(good))
	require.NoError(t, c.ReplayLetter(t.Context(), c.open(false)[0].ID, "ada"))
	require.Equal(t, 1, c.count("effects"))
}

func TestBytesThatAreNoEventStayALetterUntilDiscarded(t *testing.T) {
	c, _ := fussy(t)
	require.Equal(t, []string{success}, c.deliver([]byte("{")))
	id := c.open(false)[0].ID
	require.ErrorContains(t, c.ReplayLetter(t.Context(), id, "ada"), "not a CloudEvent")
	require.NoError(t, c.DiscardLetter(t.Context(), id, "ada", "a stranger's"))
	require.Empty(t, c.open(false))
	letter, acts, err := c.Letter(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "{", string(letter.Payload), "nothing is deleted")
	require.Equal(t, "a stranger's", acts[1].Reason)

	// The same record is delivered again: it must not hide behind its resolution.
	require.Equal(t, []string{success}, c.deliver([]byte("{")))
	require.Len(t, c.open(false), 1)
	require.Equal(t, id, c.open(false)[0].ID)
	require.Equal(t, []string{success}, c.deliver([]byte("{")), "and once more, while it is open")
	require.Equal(t, []string{"replay failed ada", "discard resolved ada", "reopen open "}, c.acts(id))
}

func TestTwoOperatorsAtOnceResolveALetterOnce(t *testing.T) {
	c, refusing := fussy(t)
	c.deliver(record(t, "a"))
	refusing.Store(false)
	id := c.open(false)[0].ID
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			if i%2 == 0 {
				errs[i] = c.ReplayLetter(t.Context(), id, "ada")
			} else {
				errs[i] = c.DiscardLetter(t.Context(), id, "bob", "no use")
			}
		})
	}
	wg.Wait()
	resolved := 0
	for _, err := range errs {
		if err == nil {
			resolved++
			continue
		}
		require.ErrorIs(t, err, subscribe.ErrResolved)
	}
	require.Equal(t, 1, resolved)
	require.Len(t, c.acts(id), 1)
}

func TestOpenLettersAreCounted(t *testing.T) {
	c, _ := fussy(t)
	for range 3 {
		c.deliver(record(t, "a"))
	}
	require.NoError(t, c.DiscardLetter(t.Context(), c.open(false)[0].ID, "ada", "no use"))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Keep(ctx) }()
	require.Eventually(t, func() bool {
		open := metrictest.Of(t, "taskwire_dead_letters_open")
		return len(open) == 1 && open[0].GetGauge().GetValue() == 2
	}, 10*time.Second, 10*time.Millisecond)
	stop()
	require.NoError(t, <-ended)
}

func TestLettersAreListedByPage(t *testing.T) {
	c, _ := fussy(t)
	for range 5 {
		c.deliver(record(t, "a"))
	}
	require.NoError(t, c.DiscardLetter(t.Context(), c.open(false)[1].ID, "ada", "no use"))
	var ids []int64
	after := int64(0)
	for {
		page, err := c.Letters(t.Context(), subscribe.LetterFilter{Topic: event.TopicTasks, After: after, Limit: 3})
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, l := range page {
			require.Empty(t, l.Payload)
			require.WithinDuration(t, time.Now(), l.ReceivedAt, time.Minute)
			ids = append(ids, l.ID)
		}
		after = page[len(page)-1].ID
	}
	require.Len(t, ids, 4)
	other, err := c.Letters(t.Context(), subscribe.LetterFilter{Topic: event.TopicAudit, Limit: 3})
	require.NoError(t, err)
	require.Empty(t, other)
	require.Len(t, c.open(true), 5)
}
