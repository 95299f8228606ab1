// Package migrations holds the schema of task-api: accounts, tasks, reminders
// and, from pkg/eventlog, the event log. Forward only; each must be safe while
// the version before it still runs.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/eventlog"
)

// Schema is the Postgres schema that task-api owns.
const Schema = "task"

// Files are the migrations of task-api's own tables.
//
//go:embed *.sql
var Files embed.FS

// SQL are the migrations of the tables that pkg/eventlog brings along.
var SQL = map[string]string{"0002_event_log": fmt.Sprintf(eventlog.Tables, Schema)}
