package event

import (
	"embed"
	"encoding/json"
	"fmt"
	"strings"
)

// One event of each type, whole, as it lies on the broker.
//
//go:embed examples/*.json
var examples embed.FS

type object = map[string]any

// AsyncAPI returns the AsyncAPI 3.0 document of the events, as this version of
// task-api sends them.
func AsyncAPI(version string) ([]byte, error) {
	schemas, err := asyncSchemas()
	if err != nil {
		return nil, err
	}
	channels, operations := object{}, object{}
	topics := map[string]object{} // the messages by topic
	for _, topic := range Topics {
		topics[topic] = object{}
		channels[topic] = object{"address": topic, "messages": topics[topic]}
		operations["send-"+topic] = object{"action": "send", "channel": object{"$ref": "#/channels/" + topic}}
	}
	messages := object{}
	for _, t := range Types {
		if messages[t.Name], err = asyncMessage(t); err != nil {
			return nil, err
		}
		topics[t.Topic][t.Name] = object{"$ref": "#/components/messages/" + t.Name}
	}
	document, err := json.Marshal(object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "taskwire", "version": version,
			"description": "What happens to tasks and accounts: CloudEvents 1.0 in structured JSON. " +
				"Within a major version (the last part of dataschema) only fields and types are added: accept what you do not know.",
			"license": object{"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
		},
		"defaultContentType": "application/cloudevents+json",
		"channels":           channels,
		"operations":         operations,
		"components":         object{"schemas": schemas, "messages": messages},
	})
	if err != nil {
		return nil, fmt.Errorf("write the AsyncAPI document: %w", err)
	}
	return document, nil
}

// asyncSchemas are the JSON Schemas as parts of the document, whose dialect has
// what they use, and in which they have another address.
func asyncSchemas() (object, error) {
	files, err := Schemas()
	if err != nil {
		return nil, err
	}
	found := object{}
	for name, raw := range files {
		var schema object
		if err := json.Unmarshal(raw, &schema); err != nil {
			return nil, fmt.Errorf("schema %s: %w", name, err)
		}
		delete(schema, "$schema")
		delete(schema, "$id")
		found[component(name)] = schema
	}
	return found, nil
}

// component is the name of a schema in the document: a "/" would have to be escaped.
func component(schema string) string { return strings.ReplaceAll(schema, "/", ".") }

func asyncMessage(t Type) (object, error) {
	example, err := examples.ReadFile("examples/" + t.Name + ".json")
	if err != nil {
		return nil, fmt.Errorf("example of %s: %w", t.Name, err)
	}
	schema := func(name string) object { return object{"$ref": "#/components/schemas/" + component(name)} }
	return object{
		"name": t.Name, "summary": t.When,
		"payload": object{"allOf": []object{schema(envelopeSchema), {
			"type": "object",
			"properties": object{
				"type":       object{"const": t.Name},
				"dataschema": object{"const": SchemaURI(t.Topic, t.Name)},
				"data":       schema(schemaName(t.Topic, t.Name) + "/" + major),
			},
		}}},
		"bindings": object{"kafka": object{
			"key":            object{"type": "string", "format": "uuid", "description": "The event's partitionkey: what the order is kept for."},
			"bindingVersion": "0.5.0",
		}},
		"examples": []object{{"payload": json.RawMessage(example)}},
	}, nil
}
