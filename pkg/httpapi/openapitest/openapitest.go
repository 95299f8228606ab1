// Package openapitest keeps the OpenAPI documents of the services as golden files:
// what they promise to clients shows as a change of a file.
package openapitest

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

var update = flag.Bool("update", false, "write the golden files anew")

// Document is an OpenAPI document.
type Document map[string]any

// Of describes the operations that mount adds.
func Of(t *testing.T, mount func(huma.API)) Document {
	t.Helper()
	api := httpapi.NewAPI(chi.NewRouter())
	mount(api)
	raw, err := json.Marshal(api.OpenAPI())
	require.NoError(t, err)
	d := decode(t, raw)
	requests, answers := d.uses()
	for name, schema := range d.schemas() {
		schema := schema.(map[string]any)
		allowNull(schema, api.OpenAPI().Components.Schemas.TypeFromRef(reference+name))
		switch {
		case answers[name] && !requests[name]:
			// An answer may gain members.
			delete(schema, "additionalProperties")
		case requests[name] && !answers[name]:
			takeNull(schema, api.OpenAPI().Components.Schemas.TypeFromRef(reference+name))
			enumerateNull(schema)
		}
	}
	return d
}

const reference = "#/components/schemas/"

// allowNull lets the members of a schema be null that are pointers to structs, or
// members of a merge patch. huma can say so of a plain type only, not of a reference.
func allowNull(schema map[string]any, of reflect.Type) {
	properties, _ := schema["properties"].(map[string]any)
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		property, ok := properties[name].(map[string]any)
		if !ok || property["$ref"] == nil {
			continue
		}
		_, patch := reflect.New(field.Type).Interface().(huma.SchemaProvider) // refers to what it is a patch of
		if field.Type.Kind() == reflect.Pointer || patch {
			property["anyOf"] = []any{map[string]any{"$ref": property["$ref"]}, map[string]any{"type": "null"}}
			delete(property, "$ref")
		}
	}
}

// takeNull says of a request's members that may be left out that null is as good: huma
// takes it for that. Those of a merge patch say themselves what null does.
func takeNull(schema map[string]any, of reflect.Type) {
	required, _ := schema["required"].([]any)
	properties, _ := schema["properties"].(map[string]any)
	for _, field := range reflect.VisibleFields(of) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		property, _ := properties[name].(map[string]any)
		kind, ok := property["type"].(string)
		if !ok || slices.Contains(required, any(name)) || strings.HasPrefix(field.Type.Name(), "optional[") {
			continue
		}
		property["type"] = []any{kind, "null"}
	}
}

// enumerateNull adds null to the values of what may be null: else it may not.
func enumerateNull(schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	for _, property := range properties {
		property := property.(map[string]any)
		_, nullable := property["type"].([]any)
		if values, ok := property["enum"].([]any); ok && nullable {
			property["enum"] = append(values, nil)
		}
	}
}

func decode(t *testing.T, raw []byte) Document {
	t.Helper()
	var d Document
	require.NoError(t, json.Unmarshal(raw, &d))
	return d
}

func (d Document) schemas() map[string]any {
	return d["components"].(map[string]any)["schemas"].(map[string]any)
}

// uses tells which schemas stand in requests, and which in answers.
func (d Document) uses() (requests, answers map[string]bool) {
	requests, answers = map[string]bool{}, map[string]bool{}
	for _, item := range d["paths"].(map[string]any) {
		for _, operation := range item.(map[string]any) {
			operation := operation.(map[string]any)
			d.follow(operation["requestBody"], requests)
			d.follow(operation["responses"], answers)
		}
	}
	return requests, answers
}

func (d Document) follow(node any, found map[string]bool) {
	switch node := node.(type) {
	case map[string]any:
		for key, value := range node {
			if key == "$ref" {
				if name := strings.TrimPrefix(value.(string), reference); !found[name] {
					found[name] = true
					d.follow(d.schemas()[name], found)
				}
				continue
			}
			if key != "example" && key != "examples" {
				d.follow(value, found)
			}
		}
	case []any:
		for _, value := range node {
			d.follow(value, found)
		}
	}
}

// Golden compares a document with a file, or writes it with -update.
func Golden(t *testing.T, file string, d Document) {
	t.Helper()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	require.NoError(t, encoder.Encode(d))
	if *update {
		require.NoError(t, os.WriteFile(file, text.Bytes(), 0o644)) //nolint:gosec // a file of the repository, for everybody
	}
	golden, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(golden), text.String(), "%s is not what the code says: run make openapi, and look at the difference", file)
}

// Merge returns base with the paths and schemas of all documents. What two of them
// say differently is an error.
func Merge(t *testing.T, base Document, documents ...Document) Document {
	t.Helper()
	paths, schemas, security := map[string]any{}, map[string]any{}, map[string]any{}
	add := func(to, from map[string]any) {
		for name, value := range from {
			if known, ok := to[name]; ok {
				require.Equal(t, known, value, "two services describe %s", name)
			}
			to[name] = value
		}
	}
	for _, d := range documents {
		add(paths, d["paths"].(map[string]any))
		add(schemas, d.schemas())
		add(security, d["components"].(map[string]any)["securitySchemes"].(map[string]any))
	}
	whole := maps.Clone(base)
	whole["openapi"] = "3.1.0"
	whole["paths"] = paths
	whole["components"] = map[string]any{"schemas": schemas, "securitySchemes": security}
	return whole
}

// Read reads a document.
func Read(t *testing.T, file string) Document {
	t.Helper()
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	return decode(t, raw)
}
