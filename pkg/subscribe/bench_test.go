package subscribe_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
	"github.com/taskwire/taskwire/pkg/subscribe"
)

// BenchmarkReceive is what it takes to read a bulk of 100 events that mean nothing to the
// consumer: no database has part in it.
func BenchmarkReceive(b *testing.B) {
	s := subscribe.New(subscribe.Options{AppAPIToken: "secret", Log: slog.New(slog.DiscardHandler), Now: time.Now})
	s.Only(event.TopicAudit, func(string, []byte) bool { return false })
	s.InTx(event.TopicAudit, nil)
	router := chi.NewRouter()
	s.Mount(router)
	// In the order in which the sidecar writes them.
	type entry struct {
		EntryID     string            `json:"entryId"`
		Event       string            `json:"event"`
		Metadata    map[string]string `json:"metadata"`
		ContentType string            `json:"contentType"`
	}
	var entries []entry
	for i := range 100 {
		id := uuid.Must(uuid.NewV7())
		state := `{"id":"` + id.String() + `","title":"Buy milk, bread and whatever else there is","description":"","is_complete":false,"priority":"medium",` +
			`"tags":["home","errand"],"due_at":null,"created_at":"2026-11-27T23:00:00.000000Z","updated_at":"2026-11-27T23:00:00.000000Z","series_id":null,"parent_id":null,"position":"a0"}`
		data, err := json.Marshal(event.AuditEvent{
			Frame: event.Frame{EventType: event.AuditPrefix + event.TaskCreated, TaskID: id, UserID: id, Timestamp: time.Now()}, ListID: &id, Actor: event.Actor{UserID: id, Email: "ada@example.org"},
			Action: event.TaskCreated, Target: "task/" + id.String(), After: json.RawMessage(state), Changed: []string{"title", "priority", "tags"}, IP: "192.0.2.7", UserAgent: "curl/8", RequestID: id.String(),
		})
		require.NoError(b, err)
		raw, err := event.Encode(event.Header{
			ID: id, Topic: event.TopicAudit, Type: event.AuditPrefix + event.TaskCreated, Subject: id.String(), Time: time.Now(), PartitionKey: id.String(), Sequence: int64(i),
			TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		}, data)
		require.NoError(b, err)
		entries = append(entries, entry{
			EntryID: fmt.Sprint(i), ContentType: "application/octet-stream", Event: base64.StdEncoding.EncodeToString(raw),
			Metadata: map[string]string{"__key": id.String(), "__offset": "1234567", "__partition": "3", "__timestamp": "1796000000000", "__topic": event.TopicAudit, "partitionKey": id.String(), "rawPayload": "true"},
		})
	}
	body, err := json.Marshal(map[string]any{"id": uuid.NewString(), "pubsubname": "pubsub", "topic": event.TopicAudit, "type": "com.dapr.event.sent.bulk", "metadata": nil, "entries": entries})
	require.NoError(b, err)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/events/"+event.TopicAudit, bytes.NewReader(body))
		r.Header.Set("dapr-api-token", "secret")
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		require.Equal(b, http.StatusOK, w.Code)
		require.Equal(b, 100, bytes.Count(w.Body.Bytes(), []byte("SUCCESS")))
	}
}
