package database_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/database"
)

func TestAConnectionThatMayBePlainTextIsKnown(t *testing.T) {
	for url, falls := range map[string]bool{
		"postgres://u:p@db.example/taskwire":                     true, // prefer
		"postgres://u:p@db.example/taskwire?sslmode=prefer":      true,
		"postgres://u:p@db.example/taskwire?sslmode=allow":       true,
		"postgres://u:p@localhost,db.example/taskwire":           true,
		"postgres://u:p@db.example/taskwire?sslmode=disable":     false, // somebody has said so
		"postgres://u:p@db.example/taskwire?sslmode=require":     false,
		"postgres://u:p@db.example/taskwire?sslmode=verify-full": false,
		"postgres://u:p@127.0.0.1/taskwire":                      false,
		"postgres://u:p@localhost/taskwire":                      false,
		"postgres:///taskwire?host=/run/postgresql":              false,
		"not a url\x00": false,
	} {
		require.Equal(t, falls, database.FallsBack(url), url)
	}
}
