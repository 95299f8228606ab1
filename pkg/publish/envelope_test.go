package publish

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// What is added to an event is not in it already: a name that is there twice is read in
// two ways.
func TestTheEnvelopeHasEachNameOnce(t *testing.T) {
	body, err := event.Encode(event.Header{
		ID: uuid.New(), Topic: event.TopicTasks, Type: event.TaskCreated, Subject: "s", Time: time.Now(), PartitionKey: "s", Sequence: 1,
	}, json.RawMessage(`{}`))
	require.NoError(t, err)
	record := envelope(body, `pub"sub`, event.TopicTasks)
	var members map[string]any
	require.NoError(t, json.Unmarshal(record, &members))
	for name := range members {
		require.Equal(t, 1, strings.Count(string(record), `"`+name+`":`), name)
	}
	require.Equal(t, `pub"sub`, members["pubsubname"])
	require.Equal(t, event.TopicTasks, members["topic"])
	require.Empty(t, members["tracestate"])
	_, err = event.Decode(record)
	require.NoError(t, err)
}
