package event

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed schemas/*.json
var schemas embed.FS

// Schemas returns the JSON Schemas of the data and of the envelope by what their
// $id says after SchemaBase, as "task-event/v1".
func Schemas() (map[string][]byte, error) {
	files, err := fs.Glob(schemas, "schemas/*.json")
	if err != nil {
		return nil, fmt.Errorf("list the schemas: %w", err)
	}
	found := map[string][]byte{}
	for _, file := range files {
		name, version, _ := strings.Cut(strings.TrimSuffix(path.Base(file), ".json"), ".")
		if found[name+"/"+version], err = schemas.ReadFile(file); err != nil {
			return nil, fmt.Errorf("read a schema: %w", err)
		}
	}
	return found, nil
}
