// Package migrations holds the schema of audit-log: the entries and, from
// pkg/subscribe, the inbox. Forward only.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/subscribe"
)

// Schema is the Postgres schema that audit-log owns.
const Schema = "audit"

// Files are the migrations of the entries.
//
//go:embed *.sql
var Files embed.FS

// SQL are the migrations of the tables that pkg/subscribe brings along.
var SQL = map[string]string{"0002_inbox": fmt.Sprintf(subscribe.Tables, Schema)}

// Grants are what the service may do: entries can be added and read, and that
// is all.
var Grants = []string{
	"SELECT, INSERT ON audit.entries",
	"SELECT, INSERT, UPDATE, DELETE ON audit.inbox, audit.dead_letters",
}
