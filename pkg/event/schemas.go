package event

import (
	"embed"
	"fmt"
)

//go:embed schemas/*.json
var schemas embed.FS

// Schema returns the JSON Schema (draft 2020-12) of the data of the events on topic.
func Schema(topic string) ([]byte, error) {
	raw, err := schemas.ReadFile("schemas/" + schemaName(topic) + "." + major + ".json")
	if err != nil {
		return nil, fmt.Errorf("schema of topic %s: %w", topic, err)
	}
	return raw, nil
}
