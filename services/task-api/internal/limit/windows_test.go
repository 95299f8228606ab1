package limit

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/taskwire/taskwire/pkg/database/databasetest"
	"github.com/taskwire/taskwire/services/task-api/internal/migrations"
)

func TestMain(m *testing.M) { os.Exit(databasetest.Main(m)) }

// clock is the time of several replicas.
type clock struct{ at atomic.Pointer[time.Time] }

func newClock(t time.Time) *clock {
	c := &clock{}
	c.at.Store(&t)
	return c
}
func (c *clock) now() time.Time { return *c.at.Load() }
func (c *clock) pass(d time.Duration) {
	t := c.now().Add(d)
	c.at.Store(&t)
}

func open(t *testing.T) *bun.DB {
	t.Helper()
	db, _ := databasetest.Open(t, migrations.Schema)
	return db
}

var noon = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

func count(t *testing.T, w *Windows, l Limit, key string) (time.Duration, bool) {
	t.Helper()
	wait, first, err := w.Count(t.Context(), l, key)
	require.NoError(t, err)
	return wait, first
}

// A burst over several replicas passes as often as one at a time on one of them.
func TestAttemptsAreCountedForAllReplicas(t *testing.T) {
	db, at := open(t), newClock(noon.Add(30*time.Second))
	limit := Settings{SignIns: 10}.ForAddress()
	var replicas []*Windows
	for range 3 {
		replicas = append(replicas, &Windows{DB: db, Now: at.now})
	}
	var passed, firsts atomic.Int32
	var burst sync.WaitGroup
	for i := range 60 {
		burst.Go(func() {
			wait, first, err := replicas[i%3].Count(t.Context(), limit, "ada@example.org")
			if err != nil {
				t.Error(err)
			}
			if wait == 0 {
				passed.Add(1)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	burst.Wait()
	require.EqualValues(t, 10, passed.Load())
	require.EqualValues(t, 1, firsts.Load(), "a refusal is told once")
	wait, _ := count(t, replicas[0], limit, "bob@example.org")
	require.Zero(t, wait, "another account is not held up")
}

// The window slides: an end of a minute is no second budget.
func TestTheEndOfAMinuteIsNoSecondBudget(t *testing.T) {
	db, at := open(t), newClock(noon.Add(59*time.Second))
	w := &Windows{DB: db, Now: at.now}
	limit := Settings{SignIns: 10}.ForAddress()
	passed := 0
	for range 100 {
		if wait, _ := count(t, w, limit, "k"); wait == 0 {
			passed++
		}
		at.pass(20 * time.Millisecond)
	}
	require.LessOrEqual(t, passed, 11)
}

func TestRetryAfterIsTrue(t *testing.T) {
	db := open(t)
	for _, begin := range []time.Duration{0, 7 * time.Second, 30 * time.Second, 59*time.Second + 900*time.Millisecond} {
		for _, most := range []int{1, 2, 10} {
			at := newClock(noon.Add(begin))
			w := &Windows{DB: db, Now: at.now}
			limit, key := Settings{SignIns: most}.ForAddress(), fmt.Sprint(begin, most)
			for range 12 {
				wait, _ := count(t, w, limit, key)
				if wait == 0 {
					continue
				}
				require.LessOrEqual(t, wait, 2*time.Minute+time.Millisecond)
				// Another replica, which remembers nothing.
				at.pass(wait)
				again, _ := count(t, &Windows{DB: db, Now: at.now}, limit, key)
				require.Zero(t, again, "from %s, at most %d: after %s", begin, most, wait)
			}
		}
	}
}

func TestARightPasswordIsGivenBack(t *testing.T) {
	db, at := open(t), newClock(noon)
	w := &Windows{DB: db, Now: at.now}
	limit := Settings{SignIns: 2}.ForAddress()
	for range 10 {
		wait, _ := count(t, w, limit, "k")
		require.Zero(t, wait)
		require.NoError(t, w.GiveBack(t.Context(), limit, "k"))
	}
}

// What is refused is refused again without the database, until its time is over.
func TestARefusalIsRemembered(t *testing.T) {
	db, at := open(t), newClock(noon)
	w := &Windows{DB: db, Now: at.now}
	limit := Settings{SignIns: 1}.ForAddress()
	count(t, w, limit, "k")
	wait, _ := count(t, w, limit, "k")
	require.Equal(t, wait, w.Refused(limit, "k"))
	require.NoError(t, db.Close())
	again, _ := count(t, w, limit, "k")
	require.Equal(t, wait, again)
	at.pass(wait)
	require.Zero(t, w.Refused(limit, "k"))
}

func TestALimitThatIsOffCountsNothing(t *testing.T) {
	w := &Windows{Now: time.Now}
	for range 100 {
		wait, _ := count(t, w, Settings{}.ForNetwork(), "k")
		require.Zero(t, wait)
	}
	require.NoError(t, w.GiveBack(t.Context(), Settings{}.ForNetwork(), "k"))
}

func TestOldCountsAreDeleted(t *testing.T) {
	db, at := open(t), newClock(noon)
	w := &Windows{DB: db, Now: at.now}
	s := Settings{SignIns: 1, Registrations: 1}
	count(t, w, s.ForAddress(), "k")
	count(t, w, s.ForRegistrations(), "k")
	at.pass(10 * time.Minute)
	pruning := t.Context()
	go func() {
		if err := w.Prune(pruning, slog.New(slog.DiscardHandler)); err != nil {
			t.Error(err)
		}
	}()
	require.Eventually(t, func() bool {
		n, err := db.NewSelect().Table("task.attempts").Count(t.Context())
		return err == nil && n == 1
	}, 10*time.Second, 10*time.Millisecond, "the hour's count stays")
}
