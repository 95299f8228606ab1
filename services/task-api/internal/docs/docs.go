// Package docs serves the API's documentation from embedded assets: it works
// without the internet and tells no third party who reads it.
package docs

import (
	"bytes"
	"cmp"
	"embed"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

//go:embed page.html page.css page.js
var page embed.FS

// policy lets the page load what it is made of from here, and read the
// descriptions. Swagger UI draws with images of its own (data:).
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Mount adds /docs, which renders the description at /openapi.json and, to
// choose from, those of the other services: their addresses by name.
func Mount(r chi.Router, others map[string]string) {
	type document struct {
		URL  string `json:"url"`
		Name string `json:"name"`
	}
	documents := []document{{"/openapi.json", "task-api"}}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		documents = append(documents, document{others[name], name})
	}
	// A list of strings can always be written.
	list, _ := json.Marshal(documents)
	assets := http.StripPrefix("/docs/", statigz.FileServer(static.FS))
	own := map[string][]byte{"documents.json": list}
	for _, name := range []string{"page.html", "page.css", "page.js"} {
		own[name], _ = page.ReadFile(name) // it is embedded
	}
	r.Handle("/docs/*", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		name := cmp.Or(strings.TrimPrefix(r.URL.Path, "/docs/"), "page.html")
		content, ok := own[name]
		if !ok {
			assets.ServeHTTP(w, r)
			return
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
	}))
	r.Get("/docs", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/docs/", http.StatusMovedPermanently)
	})
}
