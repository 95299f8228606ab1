// Package docs serves the API's documentation from embedded assets: it works
// without the internet and tells no third party who reads it.
package docs

import (
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/swaggest/swgui/v5emb"
)

// Mount adds /docs, which renders the description at /openapi.json.
func Mount(r chi.Router) {
	page := v5emb.New("taskwire API", "/openapi.json", "/docs/")
	r.Handle("/docs/*", page)
	r.Get("/docs", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/docs/", http.StatusMovedPermanently)
	})
}
