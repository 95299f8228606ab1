package auth

import (
	"crypto/sha256"
	"time"

	"github.com/taskwire/taskwire/pkg/cache"
)

const (
	// knownTime is how long a token is taken for good that was: so much later the
	// removal of its key is noticed.
	knownTime = time.Minute
	// knownTokens is how many are remembered, of some 200 bytes each.
	knownTokens = 20_000
)

// known remembers whose the tokens are that were accepted: to check a signature
// is a tenth of what a small request costs. Only a hash of a token is kept.
type known struct {
	cache.Cache[[sha256.Size]byte, knownCaller]
}

type knownCaller struct {
	Caller
	until time.Time
}

func (k *known) get(sum [sha256.Size]byte, now time.Time) (Caller, bool) {
	c, ok := k.Get(sum)
	return c.Caller, ok && now.Before(c.until)
}

func (k *known) put(sum [sha256.Size]byte, c knownCaller, now time.Time) {
	if most := now.Add(knownTime); c.until.After(most) {
		c.until = most
	}
	k.Put(sum, c, knownTokens)
}
