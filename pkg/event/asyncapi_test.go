package event_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// The document keeps to AsyncAPI 3.0, and each example to its own message and to no
// other: a consumer can tell them apart.
func TestTheAsyncAPIDocument(t *testing.T) {
	raw, err := event.AsyncAPI("v1.2.3")
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	official, err := os.ReadFile("testdata/asyncapi/3.0.0.json")
	require.NoError(t, err)
	require.NoError(t, compile(t, official, "http://asyncapi.com/definitions/3.0.0/asyncapi.json", "").Validate(document))

	var parsed struct {
		Channels map[string]struct {
			Address  string
			Messages map[string]any
		}
		Operations map[string]struct{ Channel map[string]string }
	}
	require.NoError(t, json.Unmarshal(raw, &parsed))
	require.Len(t, parsed.Channels, len(event.Topics))
	for _, topic := range event.Topics {
		require.Equal(t, topic, parsed.Channels[topic].Address)
		require.Equal(t, "#/channels/"+topic, parsed.Operations["send-"+topic].Channel["$ref"])
	}
	payloads := map[string]*jsonschema.Schema{}
	for _, kind := range event.Types {
		payloads[kind.Name] = compile(t, raw, "asyncapi.json", "#/components/messages/"+kind.Name+"/payload")
	}
	for _, kind := range event.Types {
		require.Contains(t, parsed.Channels[kind.Topic].Messages, kind.Name)
		example := readExample(t, kind.Name)
		for _, other := range event.Types {
			err := payloads[other.Name].Validate(example)
			if other == kind {
				require.NoError(t, err, kind.Name)
			} else {
				require.Error(t, err, "an example of %s passes for %s", kind.Name, other.Name)
			}
		}
	}
}
