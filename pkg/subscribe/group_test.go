package subscribe_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// group is a consumer whose first transaction lasts until the deliveries behind it wait.
type group struct {
	*consumer
	open  func()
	calls [][]string // the keys of each call of the handler, in order
	mu    sync.Mutex
}

// newGroup writes what handle does not refuse.
func newGroup(t *testing.T, handle func(subscribe.Event) error) *group {
	g := &group{}
	gate := make(chan struct{})
	g.open = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(g.open)
	g.consumer = newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			keys := make([]string, len(events))
			for i, e := range events {
				keys[i] = e.Key
			}
			g.mu.Lock()
			g.calls = append(g.calls, keys)
			g.mu.Unlock()
			<-gate
			if err := writeAll(ctx, tx, events); err != nil {
				return err
			}
			for _, e := range events {
				if err := handle(e); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return g
}

// together makes deliveries of which all but the first go into one round, in their
// order, and returns what each is answered.
func (g *group) together(deliveries ...[][]byte) [][]string {
	answers := make([][]string, len(deliveries))
	var working sync.WaitGroup
	for i, records := range deliveries {
		working.Go(func() { answers[i] = g.deliver(records...) })
		require.Eventually(g.t, func() bool {
			g.mu.Lock()
			defer g.mu.Unlock()
			return len(g.calls) == 1 && g.Waiting(event.TopicTasks) == i
		}, 10*time.Second, time.Millisecond)
	}
	g.open()
	working.Wait()
	return answers
}

// commits is how many transactions have written the inbox.
func (g *group) commits() (n int) {
	require.NoError(g.t, g.db.NewRaw("SELECT count(DISTINCT xmin::text) FROM consumer.inbox").Scan(g.t.Context(), &n))
	return n
}

func (g *group) effects() (keys []string) {
	require.NoError(g.t, g.db.NewRaw("SELECT key FROM consumer.effects ORDER BY n").Scan(g.t.Context(), &keys))
	return keys
}

func never(subscribe.Event) error { return nil }

func TestDeliveriesThatComeMeanwhileShareATransactionInTheirOrder(t *testing.T) {
	g := newGroup(t, never)
	deliveries := make([][][]byte, 20)
	var want []string
	for i := range deliveries {
		a, b := fmt.Sprintf("%d a", i), fmt.Sprintf("%d b", i)
		deliveries[i] = [][]byte{record(t, a), record(t, b)}
		want = append(want, a, b)
	}
	for _, statuses := range g.together(deliveries...) {
		require.Equal(t, []string{success, success}, statuses)
	}
	require.Equal(t, [][]string{want[:2], want[2:]}, g.calls, "the first goes at once")
	require.Equal(t, want, g.effects())
	require.Equal(t, 40, g.count("inbox"))
	require.Equal(t, 2, g.commits())
}

func TestAnEventInTwoDeliveriesOfARoundIsHandledOnce(t *testing.T) {
	g := newGroup(t, never)
	twice := record(t, "twice")
	require.Equal(t, [][]string{{success}, {success, success}, {success, success}},
		g.together([][]byte{record(t, "first")}, [][]byte{twice, record(t, "a")}, [][]byte{record(t, "b"), twice}))
	require.Equal(t, []string{"first", "twice", "a", "b"}, g.effects())
}

func TestWhatOneDeliveryOfARoundHoldsHarmsNoOther(t *testing.T) {
	g := newGroup(t, func(e subscribe.Event) error {
		switch {
		case strings.HasPrefix(e.Key, "poison"):
			return subscribe.Poison(errors.New("refused"))
		case strings.HasPrefix(e.Key, "panic"):
			panic("oh")
		case strings.HasPrefix(e.Key, "failing"):
			return errors.New("not now")
		}
		return nil
	})
	require.Equal(t, [][]string{{success}, {success, success}, {success, retry, success, retry}, {retry, success}, {success, success}, {retry, success}},
		g.together(
			[][]byte{record(t, "first")},
			[][]byte{record(t, "poison"), record(t, "a")},
			[][]byte{record(t, "b"), record(t, "failing"), record(t, "c"), record(t, "failing")},
			[][]byte{record(t, "panic"), record(t, "d")},
			[][]byte{record(t, "e"), record(t, "f")},
			[][]byte{record(t, "failing"), record(t, "g")}, // behind one of its key in another delivery
		))
	require.Equal(t, []string{"first", "a", "b", "c", "d", "e", "f", "g"}, g.effects())
	require.Equal(t, 1, g.count("dead_letters"))
	require.Contains(t, g.calls, []string{"e", "f"}, "a delivery without fault stays whole")
}

func TestWhatIsUnreachableFailsForTheWholeRoundAtOnce(t *testing.T) {
	g := newGroup(t, func(e subscribe.Event) error {
		if e.Key == "first" {
			return nil
		}
		return context.DeadlineExceeded // as of a connection
	})
	require.Equal(t, [][]string{{success}, {retry, retry}, {retry}},
		g.together([][]byte{record(t, "first")}, [][]byte{record(t, "a"), record(t, "b")}, [][]byte{record(t, "c")}))
	require.Len(t, g.calls, 2, "it is not tried for each event")
}

// What an Idempotent handler waits for is its own delivery's matter.
func TestAHandlerThatHangsHoldsUpNoOtherDelivery(t *testing.T) {
	hanging, release := make(chan struct{}), make(chan struct{})
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.Idempotent(event.TopicTasks, func(_ context.Context, e subscribe.Event) error {
			if e.Key == "hangs" {
				close(hanging)
				<-release
			}
			return nil
		})
	})
	hung := make(chan []string)
	go func() { hung <- c.deliver(record(t, "hangs")) }()
	<-hanging
	var others sync.WaitGroup
	for i := range 20 {
		others.Go(func() {
			if got := c.deliver(record(t, fmt.Sprint(i))); got[0] != success {
				t.Errorf("answered %s", got)
			}
		})
	}
	others.Wait()
	require.Equal(t, 20, c.count("inbox"))
	close(release)
	require.Equal(t, []string{success}, <-hung)
	require.Equal(t, 21, c.count("inbox"))
}

// A hundred slow events took longer than a delivery has, were all undone, and came again
// for the same.
func TestASlowBatchInATransactionIsFinishedOneByOne(t *testing.T) {
	c := newConsumer(t, newDB(t), func(s *subscribe.Subscriber) {
		s.InTx(event.TopicTasks, func(ctx context.Context, tx bun.Tx, events []subscribe.Event) error {
			if len(events) > 1 { // as slow as that
				<-ctx.Done()
				return ctx.Err()
			}
			return writeAll(ctx, tx, events)
		})
		s.TryTogether(event.TopicTasks, 50*time.Millisecond)
	})
	require.Equal(t, []string{success, success, success}, c.deliver(record(t, "a"), record(t, "b"), record(t, "c")))
	require.Equal(t, 3, c.count("effects"))
}
