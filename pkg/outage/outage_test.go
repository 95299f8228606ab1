package outage_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/outage"
	"github.com/taskwire/taskwire/pkg/telemetry/logtest"
)

var errRefused = errors.New("refused")

// told is a log with the lines that an operator sees.
type told struct{ logtest.Log }

func (t *told) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(t, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func (t *told) lines() []string {
	return strings.FieldsFunc(t.String(), func(r rune) bool { return r == '\n' })
}

func TestAnOutageIsTwoLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told told
		o := &outage.Outage{Log: told.log(), Gone: "gone", Back: "back"}
		o.Worked() // nothing is to be said of what has always worked
		for range 60 {
			o.Failed(t.Context(), errRefused, "topic", "a")
			time.Sleep(time.Second)
		}
		require.True(t, o.On())
		o.Worked()
		require.Len(t, told.lines(), 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.False(t, o.On())
		require.Equal(t, []string{
			"level=WARN msg=gone topic=a error=refused",
			"level=INFO msg=back away=1m0s failures=60",
		}, told.lines())
	})
}

// Others try at the same time, and some get through.
func TestWhatWorksNowAndThenIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told told
		o := &outage.Outage{Log: told.log(), Gone: "gone", Back: "back", Calm: 10 * time.Second}
		for range 100 {
			o.Failed(t.Context(), errRefused)
			time.Sleep(time.Second)
			o.Worked()
			time.Sleep(8 * time.Second)
			o.Worked()
		}
		require.Len(t, told.lines(), 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, "level=INFO msg=back away=14m52s failures=100", told.lines()[1])

		o.Failed(t.Context(), errRefused)
		require.Len(t, told.lines(), 3, "the next outage is another one")
	})
}

func TestOtherErrorsOfAnOutageAreToldUpToANumber(t *testing.T) {
	for name, c := range map[string]struct {
		causes int
		want   []string
	}{
		"the first alone": {0, []string{"level=WARN msg=gone error=a"}},
		"two":             {2, []string{"level=WARN msg=gone error=a", "level=WARN msg=gone error=b"}},
	} {
		t.Run(name, func(t *testing.T) {
			var told told
			o := &outage.Outage{Log: told.log(), Gone: "gone", Causes: c.causes}
			for _, cause := range []string{"a", "a", "b", "a", "b", "c"} {
				o.Failed(t.Context(), errors.New(cause))
			}
			require.Equal(t, c.want, told.lines())
		})
	}
}

func TestBackoffDoublesUpToABound(t *testing.T) {
	for failures, want := range map[int]time.Duration{1: 200 * time.Millisecond, 2: 400 * time.Millisecond, 4: 1600 * time.Millisecond, 5: 3 * time.Second, 1 << 40: 3 * time.Second} {
		for range 100 {
			pause := outage.Backoff(failures, 200*time.Millisecond, 3*time.Second)
			require.LessOrEqual(t, pause, want)
			require.GreaterOrEqual(t, pause, want*4/5)
		}
	}
}
