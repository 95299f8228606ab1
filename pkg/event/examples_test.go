package event_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/event"
)

// The examples are events that a consumer takes and that keep to their schemas,
// one of each type, and what the schemas show as an example of a field may be one.
func TestTheExamplesAreTrue(t *testing.T) {
	schemas, err := event.Schemas()
	require.NoError(t, err)
	envelope := compile(t, schemas["envelope/v1"], event.SchemaBase+"envelope/v1", "")
	files, err := os.ReadDir("examples")
	require.NoError(t, err)
	require.Len(t, files, len(event.Types))
	for _, kind := range event.Types {
		file := "pkg/event/examples/" + kind.Name + ".json"
		raw, err := os.ReadFile("../../" + file)
		require.NoError(t, err)
		e, err := event.Decode(raw)
		require.NoError(t, err, file)
		frame, err := event.DataOf[event.Frame](e)
		require.NoError(t, err)
		require.Equal(t, []any{kind.Name, kind.Name, e.Time()}, []any{e.Type(), frame.EventType, frame.Timestamp})
		require.NoError(t, envelope.Validate(readExample(t, kind.Name)), file)
		data, err := jsonschema.UnmarshalJSON(bytes.NewReader(e.Data()))
		require.NoError(t, err)
		uri := event.SchemaURI(kind.Topic, kind.Name)
		require.NoError(t, compile(t, schemas[strings.TrimPrefix(uri, event.SchemaBase)], uri, "").Validate(data), file)
	}
	for name, raw := range schemas {
		require.NoError(t, checkExamples(compile(t, raw, event.SchemaBase+name, "")), name)
	}
}

// checkExamples holds the examples of fields against their schemas.
func checkExamples(schema *jsonschema.Schema) error {
	for _, example := range schema.Examples {
		if err := schema.Validate(example); err != nil {
			return err
		}
	}
	for _, inner := range schema.Properties {
		if err := checkExamples(inner); err != nil {
			return err
		}
	}
	if schema.Items2020 != nil {
		return checkExamples(schema.Items2020)
	}
	return nil
}

func compile(t *testing.T, raw []byte, url, fragment string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft7)
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource(url, document))
	schema, err := compiler.Compile(url + fragment)
	require.NoError(t, err)
	return schema
}

func readExample(t *testing.T, kind string) any {
	t.Helper()
	raw, err := os.ReadFile("examples/" + kind + ".json")
	require.NoError(t, err)
	example, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	require.NoError(t, err)
	return example
}
