// Package migrations holds the schema of the notification service.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/subscribe"
)

// Schema is the Postgres schema that the service owns.
const Schema = "notification"

// Files are the migrations of the service's own tables, forward only.
//
//go:embed *.sql
var Files embed.FS

// SQL are the migrations of the tables that pkg/subscribe brings along.
var SQL = map[string]string{"0003_inbox": fmt.Sprintf(subscribe.Tables, Schema)}
