// Package migrations holds the schema of audit-log: the entries and, from
// pkg/subscribe, the inbox. Forward only.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// Name is the Postgres schema that audit-log owns.
const Name = "audit"

//go:embed *.sql
var files embed.FS

// Schema is how it is made.
var Schema = database.Schema{
	Name: Name, Files: files, SQL: map[string]string{
		"0002_inbox":    fmt.Sprintf(subscribe.Tables, Name),
		"0005_letters":  fmt.Sprintf(subscribe.Letters, Name),
		"0006_progress": fmt.Sprintf(subscribe.Progress, Name),
		"0009_erasure":  fmt.Sprintf(erasure.Tables, Name),
	},
	// Entries can be added, read and erased, and that is all. The same goes for what
	// operators did with dead letters.
	Grants: []string{
		"SELECT, INSERT ON audit.entries, audit.dead_letter_acts",
		// A dead letter stays, too, with its record as it came: it is resolved.
		"SELECT, INSERT, UPDATE (resolved_at, resolution, reason) ON audit.dead_letters",
		"SELECT, INSERT, UPDATE ON audit.progress, audit.erased",
		// The one way to change an entry or a dead letter: what an erased person was goes.
		"EXECUTE ON FUNCTION audit.erase(uuid, uuid, text[], uuid, uuid, int), audit.erase_list(uuid, int), audit.erase_letters(text)",
		"SELECT, INSERT, UPDATE, DELETE ON audit.inbox",
	},
}
