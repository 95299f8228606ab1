// Package mailpage serves the pages that the links of mails about accounts lead to. What is
// secret in a link stands behind its #: a browser sends that to nobody, so that it is in no
// log, and the page passes it on in the body of a request. A GET changes nothing, since
// filters of mails follow links.
package mailpage

import (
	"bytes"
	"embed"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
)

//go:embed verify.html reset.html page.css page.js
var files embed.FS

// policy lets the pages load what they are made of, and ask the API.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pages are the files by their addresses. The first two are in the mails that notification
// sends.
var pages = map[string]string{
	"/account/verify": "verify.html", "/account/reset": "reset.html", "/account/page.css": "page.css", "/account/page.js": "page.js",
}

// Mount adds the pages.
func Mount(r chi.Router) {
	for path, name := range pages {
		content, _ := files.ReadFile(name) // it is embedded
		r.Get(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", policy)
			http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(content))
		})
	}
}
