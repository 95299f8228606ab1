// Package migrations holds the schema of task-api: accounts, tasks, reminders
// and, from pkg/eventlog, the event log. Forward only; each must be safe while
// the version before it still runs.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/database"
	"github.com/taskwire/taskwire/pkg/eventlog"
)

// Name is the Postgres schema that task-api owns.
const Name = "task"

//go:embed *.sql
var files embed.FS

// Schema is how it is made.
var Schema = database.Schema{
	Name: Name, Files: files, SQL: map[string]string{
		"0002_event_log":            fmt.Sprintf(eventlog.Tables, Name),
		"0004_event_log_partitions": fmt.Sprintf(eventlog.Partitions, Name),
		"0008_event_retention":      fmt.Sprintf(eventlog.Retention, Name),
		"0015_event_retention":      fmt.Sprintf(eventlog.Retention, Name),
		"0019_event_horizon":        fmt.Sprintf(eventlog.Horizon, Name),
	},
}
