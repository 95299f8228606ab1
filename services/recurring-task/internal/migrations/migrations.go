// Package migrations holds the schema of recurring-task: the ledger of
// occurrences and, from pkg/subscribe, the inbox. Forward only.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// Name is the Postgres schema that recurring-task owns.
const Name = "recurring"

//go:embed *.sql
var files embed.FS

// Schema is how it is made.
var Schema = database.Schema{
	Name: Name, Files: files, SQL: map[string]string{
		"0002_inbox":    fmt.Sprintf(subscribe.Tables, Name),
		"0003_letters":  fmt.Sprintf(subscribe.Letters, Name),
		"0004_progress": fmt.Sprintf(subscribe.Progress, Name),
		"0008_erasure":  fmt.Sprintf(erasure.Tables, Name),
	},
	Grants: []string{
		"SELECT, INSERT, UPDATE, DELETE ON recurring.occurrences, recurring.inbox",
		"SELECT, INSERT, UPDATE ON recurring.progress, recurring.erased",
		// What a dead letter said of somebody goes with him.
		"EXECUTE ON FUNCTION recurring.erase_letters(text)",
		// A dead letter stays, with its record as it came: it is resolved.
		"SELECT, INSERT, UPDATE (resolved_at, resolution, reason) ON recurring.dead_letters",
		// What operators did with dead letters stays on record.
		"SELECT, INSERT ON recurring.dead_letter_acts",
	},
}
