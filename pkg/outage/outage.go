// Package outage tells, in the log, of what a service needs and has to do without
// for a while: a line when it goes and a line when it is back, however often it is
// tried in between.
package outage

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// defaultCalm is longer than the pauses between the tries of our own loops.
const defaultCalm = 5 * time.Second

// Outage is something that may be away: those who need it say what their tries
// came to. Any number may at the same time, and some fail while others work.
type Outage struct {
	Log  *slog.Logger // nil: the process's default
	Gone string       // logged as a warning, with the error, when it goes
	Back string       // logged, with how long it was away, when it is back
	// Causes is how many different errors are logged of one outage; 0: the first alone.
	Causes int
	// Calm is how long none may fail before it counts as back; 0: 5 s.
	Calm time.Duration

	on       atomic.Bool
	mu       sync.Mutex
	began    time.Time // the first failure
	worked   time.Time // the first success since the last failure
	failures int
	logged   []string
	back     *time.Timer // runs since worked
}

// Failed takes note of a try that failed. Attrs go beside the error.
func (o *Outage) Failed(ctx context.Context, err error, attrs ...any) {
	level := slog.LevelDebug
	if o.failed(err.Error()) {
		level = slog.LevelWarn
	}
	o.logger().Log(ctx, level, o.Gone, append(attrs, "error", err)...) //nolint:sloglint // a literal where the outage is made
}

// failed says whether the error is to be seen.
func (o *Outage) failed(cause string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back != nil {
		o.back.Stop()
		o.back = nil
	}
	if !o.on.Load() {
		o.began, o.failures, o.logged = time.Now(), 0, nil
		o.on.Store(true)
	}
	o.failures++
	if len(o.logged) >= max(o.Causes, 1) || slices.Contains(o.logged, cause) {
		return false
	}
	o.logged = append(o.logged, cause)
	return true
}

// Worked takes note of a try that succeeded. It is cheap while nothing is away.
func (o *Outage) Worked() {
	if !o.on.Load() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.on.Load() || o.back != nil {
		return
	}
	o.worked = time.Now()
	o.back = time.AfterFunc(o.calm(), o.over)
}

// over ends the outage, unless a try has failed since it was set to.
func (o *Outage) over() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.back == nil || time.Since(o.worked) < o.calm() {
		return
	}
	o.back = nil
	o.on.Store(false)
	o.logger().Info(o.Back, "away", o.worked.Sub(o.began).Round(time.Millisecond), "failures", o.failures) //nolint:sloglint // as above
}

func (o *Outage) calm() time.Duration { return cmp.Or(o.Calm, defaultCalm) }

// On says whether it is away.
func (o *Outage) On() bool { return o.on.Load() }

func (o *Outage) logger() *slog.Logger {
	if o.Log == nil {
		return slog.Default()
	}
	return o.Log
}

// Backoff is the pause after so many failures in a row (1, 2, …). It doubles from
// first to longest, and is up to a fifth shorter, so that what failed together does
// not come back together.
func Backoff(failures int, first, longest time.Duration) time.Duration {
	pause := first
	for range failures - 1 {
		if pause *= 2; pause >= longest {
			break
		}
	}
	pause = min(pause, longest)
	return pause - rand.N(pause/5+1)
}
