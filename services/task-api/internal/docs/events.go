package docs

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/event"
)

// MountEvents adds the descriptions of the events: the AsyncAPI document, each
// JSON Schema where its $id has it in the repository, and a list of these.
func MountEvents(r chi.Router, version string) error {
	document, err := event.AsyncAPI(version)
	if err != nil {
		return err
	}
	r.Method(http.MethodGet, "/asyncapi.json", fixed("application/asyncapi+json;version=3.0.0", document))

	schemas, err := event.Schemas()
	if err != nil {
		return err
	}
	paths := map[string]string{} // by $id
	for name, schema := range schemas {
		path := "/schemas/" + name
		paths[event.SchemaBase+name] = path
		r.Method(http.MethodGet, path, fixed("application/schema+json", schema))
	}
	// A map of strings can always be written.
	list, _ := json.Marshal(paths)
	r.Method(http.MethodGet, "/schemas", fixed("application/json", list))
	return nil
}

// fixed answers with what only another version of the program changes.
func fixed(mediaType string, content []byte) http.Handler {
	etag := fmt.Sprintf(`"%x"`, sha256.Sum256(content))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}
