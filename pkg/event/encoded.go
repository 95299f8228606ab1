package event

import (
	"bytes"
	"encoding/json"
	"strings"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/types"
)

// mostEncoded is up to how many bytes of an event are read by encoded. In so few, nothing is
// nested deeper than the 10,000 levels that encoding/json reads.
const mostEncoded = 16 << 10

// members are those of an envelope, in the order in which Encode writes them.
var members = [...]string{
	"specversion", "id", "source", "type", "subject", "datacontenttype", "dataschema", "time",
	ExtensionPartitionKey, ExtensionSequence, ExtensionTraceParent, extensionTraceID,
}

// encoded reads an event that is written as Encode does it: those members in that order,
// plain texts, and an object as data. Whatever differs, valid or not, it leaves to the SDK
// and says false; what it reads the SDK would read the same.
func encoded(raw []byte, e *cloudevents.Event) bool {
	if len(raw) > mostEncoded {
		return false
	}
	envelope, data, found := bytes.Cut(raw, []byte(`,"data":`))
	data, ends := bytes.CutSuffix(data, []byte("}"))
	if !found || !ends || len(data) == 0 || data[0] != '{' || data[len(data)-1] != '}' || !json.Valid(data) {
		return false
	}
	var values [len(members)]string
	rest, separator := string(envelope), "{"
	for i, name := range members {
		var ok bool
		if values[i], rest, ok = member(rest, separator, name); !ok {
			return false
		}
		separator = ","
	}
	if rest != "" {
		return false
	}
	source, schema := types.ParseURIRef(values[2]), types.ParseURI(values[6])
	at, err := types.ParseTimestamp(values[7])
	if values[0] != cloudevents.VersionV1 || values[5] != cloudevents.ApplicationJSON || source == nil || schema == nil || err != nil {
		return false
	}
	extensions := make(map[string]any, len(members)-8)
	for i := 8; i < len(members); i++ {
		extensions[members[i]] = values[i]
	}
	e.Context = &cloudevents.EventContextV1{
		ID: values[1], Source: *source, Type: values[3], Subject: &values[4], DataContentType: &values[5],
		DataSchema: schema, Time: at, Extensions: extensions,
	}
	e.DataEncoded = data
	return true
}

// member reads a member of an object with that name and a plain text that is not empty, and
// says what follows it.
func member(raw, separator, name string) (value, rest string, ok bool) {
	for _, begin := range [...]string{separator, `"`, name, `":"`} {
		if raw, ok = strings.CutPrefix(raw, begin); !ok {
			return "", "", false
		}
	}
	value, rest, ok = strings.Cut(raw, `"`)
	return value, rest, ok && value != "" && plain(value)
}
