package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// daprEnvelope turns a structured CloudEvent into the bytes that daprd 1.18
// writes when it is given that event, so that a record does not tell which way
// it took.
//
// The rule: daprd decodes the event into a map with numbers as they are
// written, adds what is below, and encodes the map with encoding/json, which
// sorts the names and escapes <, > and & (dapr/dapr,
// pkg/api/grpc: bulkPublishEvent; dapr/components-contrib, pubsub/envelope.go:
// FromCloudEvent). test/transport compares the outcome with a daprd's. What is
// left out, because the event log's events have both: daprd gives an event
// without time the time, and one without traceid a trace of its own.
func daprEnvelope(body []byte, pubsub, topic string) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var event map[string]any
	if err := decoder.Decode(&event); err != nil {
		return nil, fmt.Errorf("decode the event: %w", err)
	}
	if _, ok := event["tracestate"]; !ok {
		event["tracestate"] = ""
	}
	event["topic"], event["pubsubname"] = topic, pubsub
	encoded, err := json.Marshal(event)
	if err != nil {
		return nil, fmt.Errorf("encode the event: %w", err)
	}
	return encoded, nil
}
