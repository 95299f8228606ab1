// Package migrations holds the schema of audit-log: the entries and, from
// pkg/subscribe, the inbox. Forward only.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// Name is the Postgres schema that audit-log owns.
const Name = "audit"

//go:embed *.sql
var files embed.FS

// Schema is how it is made.
var Schema = database.Schema{
	Name: Name, Files: files, SQL: map[string]string{"0002_inbox": fmt.Sprintf(subscribe.Tables, Name)},
	// Entries can be added and read, and that is all.
	Grants: []string{
		"SELECT, INSERT ON audit.entries",
		"SELECT, INSERT, UPDATE, DELETE ON audit.inbox, audit.dead_letters",
	},
}
