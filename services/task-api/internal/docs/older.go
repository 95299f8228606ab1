package docs

import (
	"encoding/json"
	"fmt"
	"slices"
)

// older is a description for tools that know no more than OpenAPI 3.0.
func older(description []byte) ([]byte, error) {
	var d map[string]any
	if err := json.Unmarshal(description, &d); err != nil {
		return nil, fmt.Errorf("read the description of the API: %w", err)
	}
	d["openapi"] = "3.0.3"
	if info, ok := d["info"].(map[string]any); ok {
		delete(info, "summary")
		if license, ok := info["license"].(map[string]any); ok {
			delete(license, "identifier")
		}
	}
	for _, part := range []any{d["paths"], d["components"]} {
		downgrade(part)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("write the description of the API: %w", err)
	}
	return raw, nil
}

// downgrade turns JSON Schema into the schema objects of OpenAPI 3.0.
func downgrade(node any) {
	switch node := node.(type) {
	case []any:
		for _, value := range node {
			downgrade(value)
		}
	case map[string]any:
		if types, ok := node["type"].([]any); ok {
			node["type"], node["nullable"] = types[0], true
		}
		if either, ok := node["anyOf"].([]any); ok {
			if null := slices.IndexFunc(either, func(v any) bool { return v.(map[string]any)["type"] == "null" }); null >= 0 {
				delete(node, "anyOf")
				node["type"], node["allOf"], node["nullable"] = "object", slices.Delete(either, null, null+1), true
			}
		}
		delete(node, "contentMediaType") // format says it there: binary
		if examples, ok := node["examples"].([]any); ok {
			delete(node, "examples")
			node["example"] = examples[0]
		}
		if reference, ok := node["$ref"]; ok && len(node) > 1 {
			delete(node, "$ref") // nothing may stand beside it
			node["allOf"] = []any{map[string]any{"$ref": reference}}
		}
		for name, value := range node {
			if name != "example" {
				downgrade(value)
			}
		}
	}
}
