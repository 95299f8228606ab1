package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"
)

// Source is the CloudEvents source of everything that task-api tells.
const Source = "/taskwire/task-api"

// Extensions of the envelope.
const (
	ExtensionPartitionKey = "partitionkey"
	ExtensionSequence     = "sequence"
	ExtensionTraceParent  = "traceparent"
	extensionTraceID      = "traceid"
)

// MaxSize is how large a structured event may be, in bytes.
// CloudEvents 1.0, section "Size Limits", asks every intermediary to forward
// events of up to 64 KiB; larger ones may be lost on the way.
const MaxSize = 64 << 10

const (
	schemaBase = "https://github.com/taskwire/taskwire/schemas/"
	major      = "v1"
)

// SchemaURI is the dataschema of the events on topic.
func SchemaURI(topic string) string {
	return schemaBase + schemaName(topic) + "/" + major
}

func schemaName(topic string) string {
	switch topic {
	case TopicReminders:
		return "reminder-event"
	case TopicAudit:
		return "audit-event"
	default:
		return "task-event"
	}
}

// Header is what the envelope says beside the data.
type Header struct {
	ID           uuid.UUID
	Topic        string
	Type         string
	Subject      string
	Time         time.Time
	PartitionKey string
	Sequence     int64  // place in the event log, from 1
	TraceParent  string // W3C Trace Context of the request that caused it; may be empty
}

// Encode writes the structured JSON form of an event (CloudEvents JSON format 1.0).
func Encode(h Header, data json.RawMessage) ([]byte, error) {
	e := cloudevents.NewEvent()
	e.SetID(h.ID.String())
	e.SetSource(Source)
	e.SetType(h.Type)
	e.SetSubject(h.Subject)
	e.SetTime(h.Time.UTC())
	e.SetDataSchema(SchemaURI(h.Topic))
	e.SetExtension(ExtensionPartitionKey, h.PartitionKey)
	// Padded so that the text sorts as the number does, up to the largest bigint.
	e.SetExtension(ExtensionSequence, fmt.Sprintf("%019d", h.Sequence))
	if h.TraceParent != "" {
		e.SetExtension(ExtensionTraceParent, h.TraceParent)
		// daprd writes its own traceparent over that of an event without traceid
		// (components-contrib 1.18, pubsub.FromCloudEvent). It means the same.
		e.SetExtension(extensionTraceID, h.TraceParent)
	}
	if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
		return nil, fmt.Errorf("set data of event %s: %w", h.ID, err)
	}
	raw, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", h.ID, err)
	}
	return raw, nil
}

// Decode parses a structured event and refuses one that no consumer of this
// major version can understand. The error says what is wrong with it; trying
// again cannot help.
func Decode(raw []byte) (cloudevents.Event, error) {
	var e cloudevents.Event
	if len(raw) == 0 {
		return e, errors.New("the message is empty")
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, fmt.Errorf("not a CloudEvent: %w", err)
	}
	if err := e.Validate(); err != nil {
		return e, fmt.Errorf("not a valid CloudEvent: %w", err)
	}
	name, version, ok := strings.Cut(strings.TrimPrefix(e.DataSchema(), schemaBase), "/")
	if !ok || !strings.HasPrefix(e.DataSchema(), schemaBase) || name == "" {
		return e, fmt.Errorf("unknown dataschema %q", e.DataSchema())
	}
	if version != major {
		return e, fmt.Errorf("dataschema %q is of another major version than %s", e.DataSchema(), major)
	}
	return e, nil
}

// DataOf decodes the data of an event into T, one of this package's payloads.
// An error is final: the same bytes will fail again.
func DataOf[T any](e cloudevents.Event) (T, error) {
	var data T
	if len(e.Data()) == 0 {
		return data, errors.New("the event has no data")
	}
	if err := json.Unmarshal(e.Data(), &data); err != nil {
		return data, fmt.Errorf("data of %s: %w", e.Type(), err)
	}
	return data, nil
}
