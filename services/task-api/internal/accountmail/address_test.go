package accountmail

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAnAddressIsNoOther(t *testing.T) {
	for _, good := range []string{"ada@example.org", "Ada+x@Example.org", "ä@exämple.org", "\u043c@example.org"} {
		require.True(t, IsAddress(good), good)
	}
	for name, bad := range map[string]string{
		"the Kelvin sign": "mi\u212Ae@example.org", "a long s": "\u017Fam@example.org", "a dotted I": "m\u0130ke@example.org", "a dotless i": "m\u0131ke@example.org",
		"a name": "Ada <ada@example.org>", "a header": "a@b\r\nBcc: c@d", "nothing": "", "two": "a@b.example,c@d.example",
	} {
		require.False(t, IsAddress(bad), name)
	}
}
