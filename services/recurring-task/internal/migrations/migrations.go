// Package migrations holds the schema of recurring-task: the ledger of
// occurrences and, from pkg/subscribe, the inbox. Forward only.
package migrations

import (
	"embed"
	"fmt"

	"github.com/taskwire/taskwire/pkg/subscribe"
)

// Schema is the Postgres schema that recurring-task owns.
const Schema = "recurring"

// Files are the migrations of the ledger.
//
//go:embed *.sql
var Files embed.FS

// SQL are the migrations of the tables that pkg/subscribe brings along.
var SQL = map[string]string{"0002_inbox": fmt.Sprintf(subscribe.Tables, Schema)}
