// Package docs serves the API's documentation from embedded assets: it works
// without the internet and tells no third party who reads it.
package docs

import (
	"bytes"
	"cmp"
	"embed"
	"net/http"
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

// The description of the whole API, which a test keeps (make openapi).
//
//go:embed openapi.json
var description []byte

// Mount adds /openapi.json, the same for tools that know no OpenAPI 3.1 at
// /openapi-3.0.json, and /docs, which renders the first.
func Mount(r chi.Router) {
	const mediaType = "application/vnd.oai.openapi+json"
	r.Method(http.MethodGet, "/openapi.json", fixed(mediaType, func() []byte { return description }))
	r.Method(http.MethodGet, "/openapi-3.0.json", fixed(mediaType, func() []byte {
		former, _ := older(description) // it is embedded
		return former
	}))
	assets := http.StripPrefix("/docs/", statigz.FileServer(static.FS))
	own := map[string][]byte{}
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
