package page

import (
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"
)

func serve(t *testing.T, built fs.FS) func(path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := chi.NewRouter()
	require.NoError(t, mount(r, built))
	return func(path string, header ...string) *httptest.ResponseRecorder {
		req := httptest.NewRequest(http.MethodGet, path, nil)
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, req)
		return rec
	}
}

func builtPage(script string) fstest.MapFS {
	return fstest.MapFS{
		".gitignore":    {Data: []byte("*")},
		"index.en.html": {Data: []byte(`<script type="module" src="/assets/VERSION/app.en.js"></script><link href="/assets/VERSION/app.css">`)},
		"index.de.html": {Data: []byte(`<script type="module" src="/assets/VERSION/app.de.js"></script><link href="/assets/VERSION/app.css">`)},
		"app.en.js":     {Data: []byte(script)},
		"app.de.js":     {Data: []byte("eins()")},
		"app.css":       {Data: []byte("p {}")},
		"icon.svg":      {Data: []byte("<svg/>")},
		"sw.js":         {Data: []byte(`const build="VERSION";`)},
		"again.js":      {Data: []byte("again()")},

		"manifest.webmanifest": {Data: []byte(`{"icons":[{"src":"/assets/VERSION/icon.svg"}]}`)},
	}
}

func TestThePageNamesItsFilesByWhatIsInThem(t *testing.T) {
	get := serve(t, builtPage("one()"))
	page := get("/")
	require.Equal(t, http.StatusOK, page.Code)
	require.Equal(t, "no-cache", page.Header().Get("Cache-Control"))
	require.NotContains(t, page.Header().Get("Content-Security-Policy"), "unsafe")
	found := regexp.MustCompile(`src="(/assets/[0-9a-f]{16}/app\.en\.js)"`).FindStringSubmatch(page.Body.String())
	require.NotNil(t, found, page.Body.String())
	script := get(found[1])
	require.Equal(t, http.StatusOK, script.Code)
	require.Equal(t, "one()", script.Body.String())
	require.Contains(t, script.Header().Get("Content-Type"), "javascript")
	require.Contains(t, script.Header().Get("Cache-Control"), "immutable")
	require.Equal(t, http.StatusNotModified, get("/", "If-None-Match", page.Header().Get("ETag")).Code)

	packed := get(found[1], "Accept-Encoding", "gzip, br")
	require.Equal(t, "gzip", packed.Header().Get("Content-Encoding"))
	r, err := gzip.NewReader(packed.Body)
	require.NoError(t, err)
	content, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "one()", string(content))

	other := serve(t, builtPage("two()"))
	require.NotContains(t, other("/").Body.String(), found[1], "another page has other addresses")
	for _, path := range []string{found[1], "/assets/x/app.en.js", strings.Replace(found[1], "app.en.js", "index.en.html", 1), strings.Replace(found[1], "app.js", ".gitignore", 1)} {
		a := other(path)
		require.Equal(t, http.StatusNotFound, a.Code, path)
		require.Equal(t, "application/problem+json", a.Header().Get("Content-Type"))
	}
}

// The worker is of the same build as the page; a browser looks each time whether it still is.
func TestTheServiceWorkerIsOfThisBuild(t *testing.T) {
	one, two := serve(t, builtPage("one()")), serve(t, builtPage("two()"))
	at := regexp.MustCompile(`/assets/([0-9a-f]{16})/app\.en\.js`).FindStringSubmatch(one("/").Body.String())[1]
	worker := one("/sw.js")
	require.Equal(t, http.StatusOK, worker.Code)
	require.Equal(t, `const build="`+at+`";`, worker.Body.String())
	require.Contains(t, worker.Header().Get("Content-Type"), "javascript")
	require.Equal(t, "no-cache", worker.Header().Get("Cache-Control"))
	require.NotContains(t, worker.Header().Get("Content-Security-Policy"), "unsafe")
	require.Contains(t, worker.Header().Get("Content-Security-Policy"), "connect-src 'self'")
	require.Equal(t, http.StatusNotModified, one("/sw.js", "If-None-Match", worker.Header().Get("ETag")).Code)
	require.Equal(t, http.StatusOK, two("/sw.js", "If-None-Match", worker.Header().Get("ETag")).Code, "a browser learns of another page")

	for _, get := range []func(string, ...string) *httptest.ResponseRecorder{one, two} {
		require.Equal(t, "again()", get("/again.js").Body.String(), "of no version: every replica has it")
	}
	manifest := one("/manifest.webmanifest")
	require.Equal(t, "application/manifest+json", manifest.Header().Get("Content-Type"))
	require.Contains(t, manifest.Body.String(), "/assets/"+at+"/icon.svg")
	require.Equal(t, http.StatusOK, one("/assets/"+at+"/icon.svg").Code)
	for _, path := range []string{"/assets/" + at + "/sw.js", "/index.html"} {
		require.Equal(t, http.StatusNotFound, one(path).Code, "%s has one address", path)
	}
}

func TestThePageSpeaksTheBrowsersLanguage(t *testing.T) {
	get := serve(t, builtPage("one()"))
	for asked, script := range map[string]string{
		"": "app.en.js", "de": "app.de.js", "de-AT, en;q=0.5": "app.de.js", "fr, de;q=0.3, en;q=0.2": "app.de.js", "en-GB,de": "app.en.js",
		"fr": "app.en.js", "x=;;q": "app.en.js", "*": "app.en.js",
	} {
		a := get("/", "Accept-Language", asked)
		require.Contains(t, a.Body.String(), script, asked)
		require.Contains(t, a.Header().Values("Vary"), "Accept-Language", asked)
	}
	require.NotEqual(t, get("/").Header().Get("ETag"), get("/", "Accept-Language", "de").Header().Get("ETag"))
}

func TestWithoutAPageItSaysHowToMakeOne(t *testing.T) {
	get := serve(t, fstest.MapFS{".gitignore": {Data: []byte("*")}})
	a := get("/")
	require.Equal(t, http.StatusOK, a.Code)
	require.Contains(t, a.Body.String(), "make web")
}
