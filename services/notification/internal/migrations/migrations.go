// Package migrations holds the schema of notification: deliveries, in-app
// notifications, recipients of mails and, from pkg/subscribe, the inbox. Forward only.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/erasure"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// Name is the Postgres schema that notification owns.
const Name = "notification"

//go:embed *.sql
var files embed.FS

// Schema is how it is made.
var Schema = database.Schema{
	Name: Name, Files: files, SQL: map[string]string{
		"0003_inbox":    fmt.Sprintf(subscribe.Tables, Name),
		"0004_letters":  fmt.Sprintf(subscribe.Letters, Name),
		"0006_progress": fmt.Sprintf(subscribe.Progress, Name),
		"0015_erasure":  fmt.Sprintf(erasure.Tables, Name),
	},
	Grants: []string{
		"SELECT, INSERT, UPDATE, DELETE ON notification.deliveries, notification.notifications, notification.recipients, notification.inbox",
		"SELECT, INSERT, UPDATE ON notification.progress, notification.erased",
		// What a dead letter said of somebody goes with him.
		"EXECUTE ON FUNCTION notification.erase_letters(text)",
		// A dead letter stays, with its record as it came: it is resolved.
		"SELECT, INSERT, UPDATE (resolved_at, resolution, reason) ON notification.dead_letters",
		// What operators did with dead letters stays on record.
		"SELECT, INSERT ON notification.dead_letter_acts",
	},
}
