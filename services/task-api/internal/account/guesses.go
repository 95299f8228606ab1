package account

import (
	"sync"
	"time"
)

// guesses counts the attempts to sign in to each account within a minute. An
// attempt counts before its password is looked at, so that a burst of them
// does not pass together; one that succeeds is given back.
type guesses struct {
	mu     sync.Mutex
	minute time.Time
	counts map[string]int
}

// take counts an attempt and says whether it may be made.
func (g *guesses) take(account string, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	// What was counted in an earlier minute is forgotten, and with it the memory.
	if minute := now.Truncate(time.Minute); !minute.Equal(g.minute) {
		g.minute, g.counts = minute, map[string]int{}
	}
	g.counts[account]++
	return g.counts[account] <= attemptsPerMinute
}

// giveBack uncounts an attempt that was right.
func (g *guesses) giveBack(account string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.counts[account] > 0 {
		g.counts[account]--
	}
}
