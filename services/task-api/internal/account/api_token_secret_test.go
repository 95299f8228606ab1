package account

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatATokenLooksLike(t *testing.T) {
	counted := map[rune]int{}
	const made = 2000
	for range made {
		secret := newTokenSecret()
		require.Regexp(t, "^tw_[0-9A-Za-z]{36}$", secret)
		require.True(t, isTokenSecret(secret))
		for _, c := range secret[3:33] {
			counted[c]++
		}
	}
	// Each of 62 as often as any other: with the remainder of a byte the first 8 would come
	// 1.25 times as often. 60,000 characters, 968 of each, with a deviation of 31.
	require.Len(t, counted, len(tokenAlphabet))
	for c, n := range counted {
		require.InDelta(t, made*tokenRandom/len(tokenAlphabet), n, 6*31, "%c", c)
	}
}

func TestTheCheckOfAToken(t *testing.T) {
	// Worked out with Python's zlib.crc32.
	for random, check := range map[string]string{
		strings.Repeat("0", 30):          "2C8GjS",
		strings.Repeat("z", 30):          "4IlJEz",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcd": "34KlM6",
	} {
		require.Equal(t, check, tokenChecksum(random))
		require.True(t, isTokenSecret("tw_"+random+check))
	}
}

// Whatever is not a token whole is refused, and a token with one character changed.
func FuzzATokenIsRecognised(f *testing.F) {
	good := "tw_" + strings.Repeat("0", 30) + tokenChecksum(strings.Repeat("0", 30))
	for _, seed := range []string{
		"", "tw_", "tws_" + strings.Repeat("A", 43), good, good[:len(good)-1], good + "0", "TW_" + good[3:], "tw-" + good[3:],
		"tw_" + strings.Repeat("0", 36), "tw_" + strings.Repeat("é", 18), "tw_" + strings.Repeat("-", 30) + tokenChecksum(strings.Repeat("-", 30)), " " + good[1:],
		"tw_" + strings.Repeat("\x00", 36), newTokenSecret(),
	} {
		f.Add(seed, 5)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		if !isTokenSecret(text) {
			return
		}
		require.Len(t, text, 39)
		require.Regexp(t, "^tw_[0-9A-Za-z]{36}$", text)
		i := 3 + (at%36+36)%36
		for _, other := range "07AZaz" {
			if other == rune(text[i]) {
				continue
			}
			// A CRC finds each change of fewer than 33 bits in a row.
			require.False(t, isTokenSecret(text[:i]+string(other)+text[i+1:]), "%s with %c at %d", text, other, i)
		}
	})
}
