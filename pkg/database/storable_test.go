package database_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
)

func TestStorable(t *testing.T) {
	for text, can := range map[string]bool{"": true, "ü💥\u202e": true, "\ufffd": true, "a\x00": false, "\xff": false, "\xe6\x97": false, "\xed\xa0\x80": false} {
		require.Equal(t, can, database.Storable(text), "%q", text)
	}
}
