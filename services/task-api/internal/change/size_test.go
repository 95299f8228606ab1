package change

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTheSizeOfALetter(t *testing.T) {
	for r := range rune(0x30000) {
		if utf8.ValidRune(r) {
			require.Equal(t, SizeOf(string(r)), sizeOfRune(r), "%U", r)
		}
	}
}
