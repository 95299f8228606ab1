package limit

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWritesAreLimitedWithABurst(t *testing.T) {
	b := buckets{perMinute: 120}
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	passed := 0
	for b.take("a", 1, now) == 0 {
		passed++
	}
	require.Equal(t, 120, passed, "at once, as many as in a minute")
	require.Zero(t, b.take("b", 1, now), "another user's are his own")
	wait := b.take("a", 1, now)
	require.Equal(t, time.Second, wait)
	require.Zero(t, b.take("a", 1, now.Add(wait)), "what Retry-After says is true")

	slow := buckets{perMinute: 2}
	require.Zero(t, slow.take("a", 1, now))
	require.Zero(t, slow.take("a", 1, now))
	require.Equal(t, 30*time.Second, slow.take("a", 1, now))
	require.Equal(t, 20*time.Second, slow.take("a", 1, now.Add(10*time.Second)), "what is refused does not count")
	require.Zero(t, slow.take("a", 1, now.Add(30*time.Second)))

	several := buckets{perMinute: 120}
	require.Zero(t, several.take("a", 100, now))
	require.Equal(t, 5*time.Second, several.take("a", 30, now))
	require.Zero(t, several.take("a", 20, now), "what is refused takes nothing")
	require.Equal(t, time.Minute, several.take("a", 500, now), "all that it holds")
	require.Zero(t, several.take("a", 500, now.Add(time.Minute)))
}

// A bucket in use is not forgotten when a minute ends, and one that is not is no
// longer kept.
func TestBucketsOutOfUseAreForgotten(t *testing.T) {
	b := buckets{perMinute: 60}
	now := time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
	for i := range 1000 {
		b.take(fmt.Sprint(i), 1, now)
	}
	last := now.Add(59 * time.Second)
	for b.take("busy", 1, last) == 0 {
	}
	require.Positive(t, b.take("busy", 1, last.Add(500*time.Millisecond)))
	passed := 0
	for b.take("busy", 1, last.Add(2*time.Second)) == 0 {
		passed++
	}
	require.Equal(t, 2, passed, "over the end of the minute")
	b.take("busy", 1, now.Add(2*time.Minute))
	require.Len(t, b.recent, 1)
	b.take("busy", 1, now.Add(3*time.Minute))
	require.Len(t, b.older, 1)
	b.take("later", 1, now.Add(time.Hour))
	require.Empty(t, b.older)
}

func TestAShareHoldsUpItsOwnerAlone(t *testing.T) {
	s := NewPerKey(2)
	var done []func()
	for range 2 {
		d, err := s.Take(t.Context(), "a")
		require.NoError(t, err)
		done = append(done, d)
	}
	other, err := s.Take(t.Context(), "b")
	require.NoError(t, err)
	other()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.Take(gone, "a")
	require.ErrorIs(t, err, context.Canceled)
	next := make(chan error, 1)
	go func() {
		d, err := s.Take(t.Context(), "a")
		if err == nil {
			d()
		}
		next <- err
	}()
	done[0]()
	require.NoError(t, <-next)
	done[1]()
	require.Empty(t, s.keys, "nothing is kept of who is not there")
}

func TestNetworksAreWhatProvidersGive(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.9":          "203.0.113.9",
		"::ffff:203.0.113.9":   "203.0.113.9",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"2001:db8:1:2::7":      "2001:db8:1:2::/64",
		"fe80::1%eth0":         "fe80::/64",
		"@":                    "@",
		"":                     "",
	} {
		require.Equal(t, want, Network(address), address)
	}
}
