// Package docs serves the API's documentation from embedded assets: it works
// without the internet and tells no third party who reads it.
package docs

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5emb"
)

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
	urls, _ := json.Marshal(documents)
	page := v5emb.NewWithConfig(swgui.Config{
		ShowTopBar: true, SettingsUI: map[string]string{"urls": string(urls)},
	})("taskwire API", "/openapi.json", "/docs/")
	r.Handle("/docs/*", page)
	r.Get("/docs", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/docs/", http.StatusMovedPermanently)
	})
}
