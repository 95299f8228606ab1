package subscribe

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/taskwire/taskwire/pkg/event"
)

// delivery is one record of a broker on its way through this package.
type delivery struct {
	Event
	entryID  string
	raw      []byte
	metadata map[string]string
}

// newDelivery takes a record in. Kafka's key comes as __key; Redis has none,
// and keeps what it was published with.
func newDelivery(topic, entryID string, raw []byte, metadata map[string]string) delivery {
	key := metadata["__key"]
	if key == "" {
		key = metadata["partitionKey"]
	}
	return delivery{entryID: entryID, raw: raw, metadata: metadata, Event: Event{Topic: topic, Key: key}}
}

// takeKey takes the key from the event where the broker has none.
func (d *delivery) takeKey() {
	if key, ok := d.Extensions()[event.ExtensionPartitionKey].(string); ok && d.Key == "" {
		d.Key = key
	}
}

// sidecarsType is the type of an event that the sidecar has made around a record.
const sidecarsType = "com.dapr.event.sent"

// unwrap returns the bytes of a record. A raw record comes as base64 text (in
// a bulk), or as data_base64 of an event that the sidecar made around it; one
// that was published without an envelope as data of such an event; and an
// event that the sidecar has parsed comes as it is.
func unwrap(raw json.RawMessage) []byte {
	quoted := bytes.TrimSpace(raw)
	if len(quoted) > 1 && quoted[0] == '"' && quoted[len(quoted)-1] == '"' {
		// Nothing in base64 has to be escaped: it can be read as it stands.
		data := make([]byte, base64.StdEncoding.DecodedLen(len(quoted)-2))
		if n, err := base64.StdEncoding.Decode(data, quoted[1:len(quoted)-1]); err == nil {
			return data[:n]
		}
	}
	var text string
	if bytes.HasPrefix(quoted, []byte{'"'}) && json.Unmarshal(raw, &text) == nil {
		if data, err := base64.StdEncoding.DecodeString(text); err == nil {
			return data
		}
		return []byte(text)
	}
	var wrapper struct {
		Type   string          `json:"type"`
		Base64 *string         `json:"data_base64"`
		Data   json.RawMessage `json:"data"`
	}
	if !bytes.Contains(raw, []byte(sidecarsType)) || json.Unmarshal(raw, &wrapper) != nil || wrapper.Type != sidecarsType {
		return raw
	}
	if wrapper.Base64 != nil {
		if data, err := base64.StdEncoding.DecodeString(*wrapper.Base64); err == nil {
			return data
		}
		return raw
	}
	if json.Unmarshal(wrapper.Data, &text) == nil && text != "" {
		return []byte(text)
	}
	if len(wrapper.Data) > 0 {
		return wrapper.Data
	}
	return raw
}

// maxIdentity is how long source and id may be together, in bytes: Postgres
// indexes no more than 2704, and the inbox indexes both.
const maxIdentity = 1024

// decode parses a record as an event of topic that Postgres can remember.
func decode(topic string, raw []byte) (cloudevents.Event, error) {
	e, err := event.Decode(raw)
	switch {
	case err != nil:
		return e, err
	case e.DataSchema() != event.SchemaURI(topic, e.Type()):
		return e, fmt.Errorf("dataschema %q does not belong on topic %s, or to %s", e.DataSchema(), topic, e.Type())
	case len(e.Source())+len(e.ID()) > maxIdentity:
		return e, fmt.Errorf("source and id are longer than %d bytes", maxIdentity)
	case !utf8.Valid(raw) || !utf8.Valid(e.Data()):
		return e, errors.New("not valid UTF-8")
	case holdsNUL(raw) || holdsNUL(e.Data()):
		return e, errors.New("a text holds a NUL character")
	}
	return e, nil
}

// holdsNUL says whether a JSON document has the escape of a NUL in it, the one
// character that JSON can carry and Postgres can not.
func holdsNUL(document []byte) bool {
	if !bytes.Contains(document, []byte(`\u0000`)) {
		return false
	}
	for i := 0; i < len(document); i++ {
		if document[i] == '\\' {
			if bytes.HasPrefix(document[i+1:], []byte("u0000")) {
				return true
			}
			i++ // the escaped character, which may be a backslash
		}
	}
	return false
}
