package docs

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/taskwire/taskwire/pkg/event"
)

// MountEvents adds the descriptions of the events: the AsyncAPI document, each
// JSON Schema where its $id has it in the repository, and a list of these.
func MountEvents(r chi.Router, version string) error {
	r.Method(http.MethodGet, "/asyncapi.json", fixed("application/asyncapi+json;version=3.0.0", func() []byte {
		document, _ := event.AsyncAPI(version) // of what is embedded
		return document
	}))

	schemas, err := event.Schemas()
	if err != nil {
		return err
	}
	paths := map[string]string{} // by $id
	for name, schema := range schemas {
		path := "/schemas/" + name
		paths[event.SchemaBase+name] = path
		r.Method(http.MethodGet, path, fixed("application/schema+json", func() []byte { return schema }))
	}
	// A map of strings can always be written.
	list, _ := json.Marshal(paths)
	r.Method(http.MethodGet, "/schemas", fixed("application/json", func() []byte { return list }))
	return nil
}

// fixed answers with what only another version of the program changes. It is made
// when somebody first asks for it: few do, and each start would wait for it.
func fixed(mediaType string, content func() []byte) http.Handler {
	made := sync.OnceValues(func() ([]byte, string) {
		content := content()
		return content, fmt.Sprintf(`"%x"`, sha256.Sum256(content))
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		content, etag := made()
		w.Header().Set("Content-Type", mediaType)
		w.Header().Set("Cache-Control", "public, max-age=300")
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}
