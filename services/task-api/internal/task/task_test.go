package task

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/services/task-api/internal/access"
	"github.com/taskwire/taskwire/services/task-api/internal/change"
)

// An all-day task has a date: the one that was written, or the one that the
// time falls on in its zone, and it keeps it in another zone.
func TestTheDateOfAnAllDayTask(t *testing.T) {
	now := time.Now()
	inUTC := func() (string, error) { return "UTC", nil }
	for name, c := range map[string]struct{ due, zone, want string }{
		"midnight with the zone's offset": {"2027-09-04T00:00:00-04:00", "America/Santiago", "2027-09-04"},
		"midnight written in UTC":         {"2027-09-04T00:00:00Z", "America/Santiago", "2027-09-04"},
		"the zone's midnight in UTC":      {"2027-09-03T22:00:00Z", "Europe/Berlin", "2027-09-04"},
		"a time of the day":               {"2027-09-04T18:30:00-04:00", "America/Santiago", "2027-09-04"},
		"a day without a midnight":        {"2027-09-05T00:00:00-03:00", "America/Santiago", "2027-09-05"},
		"the far east":                    {"2027-09-04T00:00:00+14:00", "Pacific/Kiritimati", "2027-09-04"},
	} {
		t.Run(name, func(t *testing.T) {
			due, err := time.Parse(time.RFC3339, c.due)
			require.NoError(t, err)
			task := &Task{}
			require.NoError(t, Draft{Title: "x", AllDay: true, DueAt: &due, Timezone: c.zone}.apply(task, asking{zone: inUTC, now: now}))
			zone, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			require.Equal(t, c.want, task.DueAt.In(zone).Format("2006-01-02"))

			// Reading it and writing it back, and changing something else, move nothing.
			require.NoError(t, Patch{Title: Optional[string]{Present: true, Value: "y"}}.apply(task, asking{zone: inUTC, now: now}))
			require.Equal(t, c.want, task.DueAt.In(zone).Format("2006-01-02"))
			tokyo, err := time.LoadLocation("Asia/Tokyo")
			require.NoError(t, err)
			require.NoError(t, Patch{Timezone: Optional[string]{Present: true, Value: "Asia/Tokyo"}}.apply(task, asking{zone: inUTC, now: now}))
			require.Equal(t, c.want, task.DueAt.In(tokyo).Format("2006-01-02"), "the date stays in another zone")

			// A timed task again, it is due on its day, at that zone's midnight.
			require.NoError(t, Patch{AllDay: Optional[bool]{Present: true}}.apply(task, asking{zone: inUTC, now: now}))
			require.Equal(t, c.want+" 00:00", task.DueAt.In(tokyo).Format("2006-01-02 15:04"))
		})
	}
}

func TestAnEventNeverOutgrowsItsLimit(t *testing.T) {
	for name, text := range map[string]string{
		"four bytes a character": strings.Repeat("💥", maxDescription),
		"escaped to six bytes":   strings.Repeat("<", maxDescription),
		"control characters":     strings.Repeat("\x01", maxDescription),
		"one that just fits":     strings.Repeat("x", maxDescription),
		"nothing":                "",
	} {
		t.Run(name, func(t *testing.T) {
			before := &Task{ID: uuid.New(), UserID: uuid.New(), Title: strings.Repeat("💥", maxTitle), Description: text, Timezone: "UTC", Version: 1}
			after := before.clone()
			after.Title, after.Version = "y", 2
			frame := event.Frame{EventType: event.TaskUpdated, TaskID: before.ID, UserID: before.UserID, Timestamp: time.Now().UTC()}
			data, err := taskData(frame, after.onTheWire())
			require.NoError(t, err)
			trail, _, err := auditData(&change.Tx{Actor: access.Actor{UserID: before.UserID, Email: "ada@example.org"}, Now: frame.Timestamp}, frame, before, after.onTheWire())
			require.NoError(t, err)
			for topic, data := range map[string]json.RawMessage{event.TopicTasks: data, event.TopicAudit: trail} {
				raw, err := event.Encode(event.Header{ID: uuid.New(), Topic: topic, Type: event.AuditPrefix + event.TaskUpdated, Subject: before.ID.String(), Time: time.Now(), PartitionKey: before.ID.String(), Sequence: 1, TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, data)
				require.NoError(t, err)
				require.Less(t, len(raw), event.MaxSize)
			}
			var audit event.AuditEvent
			require.NoError(t, json.Unmarshal(trail, &audit))
			require.Equal(t, []string{"title"}, audit.Changed, "shortening is no change")
		})
	}
}
