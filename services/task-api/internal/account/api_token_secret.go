package account

import (
	"crypto/rand"
	"hash/crc32"
	"strings"

	"github.com/taskwire/taskwire/pkg/auth"
)

// An API token is its prefix, random characters, and a check of those, all of one alphabet:
// a word for whoever copies it, and for scanners of what was published by mistake. One that
// was copied in part is told from one that was revoked without asking the database.
const (
	tokenAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tokenRandom   = 30 // characters, of 5.95 bits each
	tokenCheck    = 6
	tokenLength   = len(auth.TokenPrefix) + tokenRandom + tokenCheck
)

// newTokenSecret makes an API token.
func newTokenSecret() string {
	// Bytes from here on are left out: the characters would not be equally likely.
	const most = 256 - 256%len(tokenAlphabet)
	random := make([]byte, 0, tokenRandom)
	for more := make([]byte, 2*tokenRandom); len(random) < tokenRandom; {
		// rand.Read never fails: it ends the process where there is no randomness.
		_, _ = rand.Read(more)
		for _, b := range more {
			if int(b) < most && len(random) < tokenRandom {
				random = append(random, tokenAlphabet[int(b)%len(tokenAlphabet)])
			}
		}
	}
	return auth.TokenPrefix + string(random) + tokenChecksum(string(random))
}

// tokenChecksum is the CRC-32 (IEEE) of a text in the alphabet, the most significant
// character first.
func tokenChecksum(random string) string {
	check := [tokenCheck]byte{}
	sum := crc32.ChecksumIEEE([]byte(random))
	for i := tokenCheck - 1; i >= 0; i-- {
		check[i] = tokenAlphabet[sum%uint32(len(tokenAlphabet))]
		sum /= uint32(len(tokenAlphabet))
	}
	return string(check[:])
}

// isTokenSecret says whether a text has the form of an API token, and its check.
func isTokenSecret(text string) bool {
	if len(text) != tokenLength || !strings.HasPrefix(text, auth.TokenPrefix) {
		return false
	}
	random, check := text[len(auth.TokenPrefix):tokenLength-tokenCheck], text[tokenLength-tokenCheck:]
	for i := range len(random) {
		if strings.IndexByte(tokenAlphabet, random[i]) < 0 {
			return false
		}
	}
	return check == tokenChecksum(random)
}
