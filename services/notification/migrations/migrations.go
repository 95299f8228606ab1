// Package migrations holds the schema of the notification service.
package migrations

import "embed"

// Schema is the Postgres schema that the service owns.
const Schema = "notification"

// Files are the migrations, in order, forward only.
//
//go:embed *.sql
var Files embed.FS
