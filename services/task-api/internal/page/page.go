// Package page serves the page for people at /. What it is made of is in web/, and comes
// here by `go run ./web/build` (make web). Without that the service builds and runs all the
// same, and says at / how to make the page.
package page

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"
	tag "golang.org/x/text/language"

	"github.com/taskwire/taskwire/pkg/httpapi"
)

// The placeholder alone is in the repository.
//
//go:embed all:dist
var dist embed.FS

// policy lets the page load what it is made of, and ask the API; and has the browser refuse
// text that is to become HTML or code, but for the address of the service worker, which the
// page has a policy of its own for.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"worker-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types taskwire"

// workerPolicy lets the service worker fetch what the page is made of.
const workerPolicy = "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// version stands for the folder of the other files, in those that have addresses of their own.
const version = "VERSION"

// languages are those of the page: the first where the browser asks for none of them.
var languages = []tag.Tag{tag.English, tag.German}

var matcher = tag.NewMatcher(languages)

// languageFor returns the place of the language that the browser would rather have.
func languageFor(r *http.Request) int {
	// What can not be read asks for nothing.
	wanted, _, _ := tag.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	_, i, _ := matcher.Match(wanted...)
	return i
}

// index returns the name of the page itself in a language.
func index(language tag.Tag) string { return "index." + language.String() + ".html" }

// missing is what / says where nobody has made the page.
const missing = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>taskwire</title>
<h1>taskwire</h1>
<p>The API is here, see <a href="/docs/">its documentation</a>; the page for people has not been built into this program: run <code>make web</code>, and build it again.</p>
</html>
`

// file is what is served, as it is and packed.
type file struct {
	kind, tag string
	plain     []byte
	// packed packs it when it is first asked for: all of them together take as long as
	// half of the service's start.
	packed func() ([]byte, error)
}

func newFile(name string, content []byte) file {
	kind := mime.TypeByExtension(path.Ext(name))
	if path.Ext(name) == ".webmanifest" { // not every system knows it
		kind = "application/manifest+json"
	}
	whole := sha256.Sum256(content)
	packed := sync.OnceValues(func() ([]byte, error) { return pack(content) })
	return file{kind: kind, tag: `W/"` + hex.EncodeToString(whole[:])[:16] + `"`, plain: content, packed: packed}
}

func pack(content []byte) ([]byte, error) {
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("pack a file of the page: %w", err)
	}
	if _, err := w.Write(content); err != nil {
		return nil, fmt.Errorf("pack a file of the page: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("pack a file of the page: %w", err)
	}
	return packed.Bytes(), nil
}

// serve writes the file, packed where the browser takes that.
func (f file) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Add("Vary", "Accept-Encoding")
	content := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		// What can not be packed, which memory never refuses, goes as it is.
		if packed, err := f.packed(); err == nil {
			h.Set("Content-Encoding", "gzip")
			content = packed
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// revalidate serves a file that has an address of its own: the browser asks each time whether
// it has changed.
func (f file) revalidate(w http.ResponseWriter, r *http.Request, policy string) {
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", f.tag)
	f.serve(w, r)
}

// Mount adds the page at /, its service worker, the script that loads it anew, and manifest, and what it is made of at
// /assets/VERSION/. The version is of what is in the files: they are kept for ever by
// browsers, and no page loads those of another one. What is not there is a 404, and never the
// page.
func Mount(r chi.Router) error {
	built, err := fs.Sub(dist, "dist")
	if err != nil {
		return fmt.Errorf("open the page: %w", err)
	}
	return mount(r, built)
}

func mount(r chi.Router, built fs.FS) error {
	contents, err := read(built)
	if err != nil {
		return err
	}
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(contents)) {
		fmt.Fprintf(sum, "%s %d\n", name, len(contents[name]))
		sum.Write(contents[name])
	}
	at := hex.EncodeToString(sum.Sum(nil))[:16]
	named := func(name string) file {
		content := bytes.ReplaceAll(contents[name], []byte(version), []byte(at))
		delete(contents, name) // the others are in the folder of the version
		return newFile(name, content)
	}
	var pages []file
	for _, language := range languages {
		if contents[index(language)] == nil {
			contents = map[string][]byte{index(language): []byte(missing)}
		}
		pages = append(pages, named(index(language)))
	}
	r.Get("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Accept-Language")
		pages[languageFor(r)].revalidate(w, r, policy)
	})
	for _, name := range []string{"sw.js", "again.js", "manifest.webmanifest"} {
		if contents[name] == nil { // nobody has made the page
			r.Get("/"+name, func(w http.ResponseWriter, r *http.Request) { httpapi.NothingHere().Write(w, r) })
			continue
		}
		f := named(name)
		r.Get("/"+name, func(w http.ResponseWriter, r *http.Request) { f.revalidate(w, r, workerPolicy) })
	}
	assets := map[string]file{}
	for name, content := range contents {
		assets[name] = newFile(name, content)
	}
	r.Get("/assets/{version}/{name}", func(w http.ResponseWriter, r *http.Request) {
		asset, ok := assets[chi.URLParam(r, "name")]
		if !ok || chi.URLParam(r, "version") != at {
			httpapi.NothingHere().Write(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		asset.serve(w, r)
	})
	return nil
}

// read returns the files of a build by their names; a placeholder is none.
func read(built fs.FS) (map[string][]byte, error) {
	entries, err := fs.ReadDir(built, ".")
	if err != nil {
		return nil, fmt.Errorf("list the files of the page: %w", err)
	}
	contents := map[string][]byte{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		if contents[e.Name()], err = fs.ReadFile(built, e.Name()); err != nil {
			return nil, fmt.Errorf("read %s of the page: %w", e.Name(), err)
		}
	}
	return contents, nil
}
