package mailbox

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A stranger's mailbox got a budget for each tag that somebody thought of.
func TestAMailboxIsOneRecipient(t *testing.T) {
	for address, want := range map[string]string{
		"ada@example.org":       "ada@example.org",
		"Ada@Example.org":       "ada@example.org",
		"ada+1@example.org":     "ada@example.org",
		"ada+a+b@example.org":   "ada@example.org",
		"bob@ada+1.example.org": "bob@ada+1.example.org",
	} {
		require.Equal(t, want, Of(address), address)
	}
}
