package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// compiler knows the schemas of all events. It compiles one at a time.
var compiler = sync.OnceValues(func() (*jsonschema.Compiler, error) {
	schemas, err := event.Schemas()
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for name, raw := range schemas {
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err == nil {
			err = c.AddResource(event.SchemaBase+name, document)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
})

// requireSchema holds an event of the log against its schema. Most are held against theirs
// on the broker (test/e2e); this is for those that need more than a suite to happen.
func requireSchema(t *testing.T, e told) {
	t.Helper()
	c, err := compiler()
	require.NoError(t, err)
	schema, err := c.Compile(event.SchemaURI(e.Topic, e.Type))
	require.NoError(t, err)
	data, err := jsonschema.UnmarshalJSON(strings.NewReader(e.Data))
	require.NoError(t, err)
	require.NoError(t, schema.Validate(data), "%s %s", e.Type, e.Data)
}
