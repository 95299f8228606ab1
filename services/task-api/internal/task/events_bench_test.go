package task

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// BenchmarkAppendEvents is what the two events of a change cost, of a task that is as large as most.
func BenchmarkAppendEvents(b *testing.B) {
	now := time.Date(2026, 6, 1, 9, 0, 0, 0, time.UTC)
	before := &Task{ID: uuid.New(), UserID: uuid.New(), ListID: uuid.New(), Title: "Water the plants", Description: strings.Repeat("Only a little. ", 20), Tags: []string{"home", "plants"}, DueAt: &now, Timezone: "Europe/Berlin", Version: 1, CreatedAt: now, UpdatedAt: now}
	after := before.clone()
	after.Title, after.Version = "Water all the plants", 2
	for name, c := range map[string]struct {
		kind   string
		before *Task
	}{"create": {event.TaskCreated, nil}, "update": {event.TaskUpdated, before}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tx := &change.Tx{Actor: access.Actor{UserID: before.UserID, Email: "ada@example.org"}, Now: now}
				if err := appendEvents(tx, []string{c.kind}, c.before, after, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
