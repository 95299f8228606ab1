package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/google/uuid"
)

// Source is the CloudEvents source of all events of task-api.
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

// SchemaBase is what the $id of each JSON Schema begins with.
const SchemaBase = "https://github.com/taskwire/taskwire/schemas/"

const (
	major          = "v1"
	envelopeSchema = "envelope/v1"
)

// SchemaURI is the dataschema of the events of a type on topic.
func SchemaURI(topic, kind string) string {
	return SchemaBase + schemaName(topic, kind) + "/" + major
}

func schemaName(topic, kind string) string {
	switch topic {
	case TopicReminders:
		switch { // a reminder-event/v1 has a reminder
		case kind == CommentAdded:
			return "comment-event"
		case AsksForMail(kind):
			return "account-mail-event"
		}
		return "reminder-event"
	case TopicAudit:
		return "audit-event"
	default:
		if kind == AccountErased {
			return "account-event" // a task-event/v1 has a task
		}
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
	TraceParent  string // W3C Trace Context of the request that caused it; empty where none did
}

// Encode writes the structured JSON form of an event (CloudEvents JSON format
// 1.0). Data must be JSON; it is taken as it is. Written by hand, since the
// relay does nothing else as often: the SDK's way takes five times as long.
func Encode(h Header, data json.RawMessage) ([]byte, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("event %s has no data", h.ID)
	}
	raw := make([]byte, 0, len(data)+768)
	raw = append(raw, `{"specversion":"1.0","id":"`...)
	raw = append(raw, h.ID.String()...)
	raw = append(raw, `","source":"`+Source+`"`...)
	raw = appendText(raw, "type", h.Type)
	raw = appendText(raw, "subject", h.Subject)
	raw = append(raw, `,"datacontenttype":"application/json"`...)
	raw = appendText(raw, "dataschema", SchemaURI(h.Topic, h.Type))
	raw = append(raw, `,"time":"`...)
	raw = h.Time.UTC().AppendFormat(raw, time.RFC3339Nano)
	raw = append(raw, '"')
	raw = appendText(raw, ExtensionPartitionKey, h.PartitionKey)
	// Padded so that the text sorts as the number does, up to the largest bigint.
	raw = append(raw, `,"`+ExtensionSequence+`":"`...)
	digits := strconv.Itoa(int(h.Sequence))
	raw = append(raw, "0000000000000000000"[min(len(digits), 19):]...)
	raw = append(append(raw, digits...), '"')
	trace := h.TraceParent
	if trace == "" {
		trace = ownTrace(h.ID)
	}
	raw = appendText(raw, ExtensionTraceParent, trace)
	// daprd writes its own traceparent over that of an event without traceid
	// (components-contrib 1.18, pubsub.FromCloudEvent). It means the same.
	raw = appendText(raw, extensionTraceID, trace)
	raw = append(raw, `,"data":`...)
	raw = append(raw, data...)
	return append(raw, '}'), nil
}

// appendText appends a member whose value is a JSON text.
func appendText(raw []byte, name, value string) []byte {
	raw = append(append(append(raw, `,"`...), name...), `":`...)
	if plain(value) {
		return append(append(append(raw, '"'), value...), '"')
	}
	// A string can always be encoded.
	text, _ := json.Marshal(value)
	return append(raw, text...)
}

// plain says whether a text stands in JSON as it is, as ids and types do.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// ownTrace is the traceparent of an event that no request caused: a trace that
// begins with it, named after its id, and not sampled. daprd would otherwise
// make one up, another one at each repetition.
func ownTrace(id uuid.UUID) string {
	// A UUID's second half begins with its variant, and so is never all zero.
	return fmt.Sprintf("00-%x-%x-00", id[:], id[8:])
}

// maxDecoded is the largest event that is decoded, in bytes.
// 1 MiB of attributes takes 0.2 s.
const maxDecoded = 4 * MaxSize

// Decode parses a structured event and refuses one that no consumer of this
// major version can understand. The error says what is wrong with it; trying
// again cannot help.
func Decode(raw []byte) (cloudevents.Event, error) {
	var e cloudevents.Event
	switch {
	case len(raw) == 0:
		return e, errors.New("the message is empty")
	case len(raw) > maxDecoded:
		return e, fmt.Errorf("the message is larger than %d bytes", maxDecoded)
	}
	if err := unmarshal(raw, &e); err != nil {
		return e, fmt.Errorf("not a CloudEvent: %w", err)
	}
	if err := e.Validate(); err != nil {
		return e, fmt.Errorf("not a valid CloudEvent: %w", err)
	}
	schema := e.DataSchema()
	name, version, ok := strings.Cut(strings.TrimPrefix(schema, SchemaBase), "/")
	if !ok || !strings.HasPrefix(schema, SchemaBase) || name == "" {
		return e, fmt.Errorf("unknown dataschema %q", schema)
	}
	if version != major {
		return e, fmt.Errorf("dataschema %q is of another major version than %s", schema, major)
	}
	return e, nil
}

// unmarshal is json.Unmarshal, which would scan the event a third time to find its end; what
// Encode wrote is scanned once.
func unmarshal(raw []byte, e *cloudevents.Event) error {
	if encoded(raw, e) {
		return nil
	}
	if !json.Valid(raw) {
		return json.Unmarshal(raw, e) // it knows what is wrong
	}
	return e.UnmarshalJSON(raw)
}

// ErasedUser is who was erased, as an event of type AccountErased says.
func ErasedUser(e cloudevents.Event) (uuid.UUID, error) {
	data, err := DataOf[AccountEvent](e)
	if err == nil && data.UserID == uuid.Nil {
		err = errors.New("user_id is missing")
	}
	return data.UserID, err
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
