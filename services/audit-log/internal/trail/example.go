package trail

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/taskwire/taskwire/pkg/event"
)

// examplePage is what the description of the API shows.
var examplePage = AuditPage{Items: []AuditEntry{{
	ID: uuid.MustParse("0190c8a0-1b6d-7c3e-9a55-5d1f6e0c2a01"), Action: "task.updated", TaskID: &exampleTask, ListID: &exampleList,
	Actor: event.Actor{UserID: uuid.MustParse("0190c8a0-0b10-7f4e-8d21-3a9c5b7e1f00"), Email: "ada@example.org"}, Target: "task/" + exampleTask.String(),
	Before: Snapshot{json.RawMessage(`{"title":"Call Grace"}`)}, After: Snapshot{json.RawMessage(`{"title":"Call Grace back"}`)}, Changed: []string{"title"}, Truncated: []string{},
	IP: "192.0.2.7", UserAgent: "curl/8.5.0", RequestID: "c3b0c2f5a0c94b7e8f4d", TraceID: "4bf92f3577b34da6a3ce929d0e0e4736",
	At: time.Date(2027, 3, 5, 8, 0, 0, 0, time.UTC),
}}}

var (
	exampleTask = uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5c6")
	exampleList = uuid.MustParse("0190c8a0-1a2b-7d4e-8f60-718293a4b5d1")
)
