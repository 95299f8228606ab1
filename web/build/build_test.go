package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write web/src/schema.ts anew")

// budget is how much the first load may be over the wire, in bytes, with what the service
// worker fetches ahead: it has the same files from the browser's cache, at most once more
// the page itself.
const budget = 60 << 10

func TestTheFirstLoadIsSmallAndAlwaysTheSame(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(first, "app-OLD.js"), []byte("of a build before"), 0o600))
	require.NoError(t, build("..", first))
	require.NoError(t, build("..", second))
	files, err := os.ReadDir(first)
	require.NoError(t, err)
	sizes := map[string]int{}
	contents := map[string][]byte{}
	for _, f := range files {
		name := f.Name()
		content, err := os.ReadFile(filepath.Join(first, name))
		require.NoError(t, err)
		again, err := os.ReadFile(filepath.Join(second, name))
		require.NoError(t, err, "it is not of this build")
		require.Equal(t, content, again, name)
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		require.NoError(t, err)
		_, err = w.Write(content)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		sizes[name], contents[name] = packed.Len(), content
	}
	require.Equal(t, 3, bytes.Count(contents["licences.txt"], []byte("Permission is hereby granted")))
	for _, language := range languages {
		index := "index." + language + ".html"
		require.NotContains(t, string(contents[index]), "LANGUAGE")
		total := 2*sizes[index] + sizes["sw.js"] + sizes["again.js"] + sizes["manifest.webmanifest"]
		loaded := regexp.MustCompile(`/assets/VERSION/([^"]+)`).FindAllSubmatch(contents[index], -1)
		for _, name := range loaded {
			require.Contains(t, sizes, string(name[1]))
			total += sizes[string(name[1])]
		}
		// What those import is among them: nothing of the first load is found late.
		for _, name := range loaded {
			for _, imported := range regexp.MustCompile(`(?:from|import)"\./([^"]+)"`).FindAllSubmatch(contents[string(name[1])], -1) {
				require.Contains(t, string(contents[index]), string(imported[1]))
			}
		}
		t.Logf("first load in %s: %d bytes gzip", language, total)
		require.Less(t, total, budget, language)
	}
}

func TestTypes(t *testing.T) {
	openapi, err := os.ReadFile("../../services/task-api/internal/docs/openapi.json")
	require.NoError(t, err)
	want, err := types(openapi)
	require.NoError(t, err)
	if *update {
		require.NoError(t, os.WriteFile("../src/schema.ts", want, 0o644))
	}
	got, err := os.ReadFile("../src/schema.ts")
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "the API has changed: -update, and look what the page makes of it")
}

func TestVendoredFilesAreAsTheyWerePublished(t *testing.T) {
	raw, err := os.ReadFile("../vendor/vendor.json")
	require.NoError(t, err)
	var packages []struct {
		Package, Version, Licence, Integrity string
		Files                                []struct{ Name, SHA256 string }
	}
	require.NoError(t, json.Unmarshal(raw, &packages))
	known := map[string]bool{"vendor.json": true}
	for _, p := range packages {
		require.NotEmpty(t, p.Version, p.Package)
		require.NotEmpty(t, p.Integrity, p.Package)
		require.Equal(t, "MIT", p.Licence, p.Package)
		for _, f := range p.Files {
			content, err := os.ReadFile(filepath.Join("..", "vendor", f.Name))
			require.NoError(t, err)
			sum := sha256.Sum256(content)
			require.Equal(t, f.SHA256, hex.EncodeToString(sum[:]), f.Name)
			known[f.Name] = true
		}
	}
	require.NoError(t, filepath.WalkDir("../vendor", func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel("../vendor", path) // it is below
			require.True(t, known[filepath.ToSlash(name)], "%s is not in vendor.json", name)
		}
		return err
	}))
	for name, file := range vendored {
		require.True(t, known[file], name)
	}
}

// The German words are for what the server says: what is reworded there has none any more.
func TestTheGermanWordsAreForWhatTheServerSays(t *testing.T) {
	source, err := os.ReadFile("../src/german.ts")
	require.NoError(t, err)
	problems, fields, found := strings.Cut(string(source), "const fields")
	require.True(t, found)

	known, err := os.ReadFile("../../pkg/httpapi/kind.go")
	require.NoError(t, err)
	codes := regexp.MustCompile(`[ ](?:"([a-z-]+)"|([a-z]+)): "`).FindAllStringSubmatch(problems, -1)
	require.Greater(t, len(codes), 30)
	for _, code := range codes {
		require.Contains(t, string(known), strconv.Quote(code[1]+code[2]))
	}

	// What is checked by the schema of a request says huma.
	where := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/danielgtaylor/huma/v2")
	where.Dir = "../../pkg"
	huma, err := where.Output()
	require.NoError(t, err)
	var said strings.Builder
	for _, root := range []string{"../../pkg", "../../services/task-api", filepath.Join(strings.TrimSpace(string(huma)), "validation")} {
		sources := os.DirFS(root)
		require.NoError(t, fs.WalkDir(sources, ".", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			content, err := fs.ReadFile(sources, path)
			said.Write(content)
			return err
		}))
	}
	words := regexp.MustCompile(`(?m)^  (?:"([^"]+)"|'([^']+)'): "`).FindAllStringSubmatch(fields, -1)
	require.Greater(t, len(words), 50)
	// As german.ts does it: the first that fits is taken.
	fits := func(form, message string) bool {
		form = regexp.MustCompile(`[^\w%]`).ReplaceAllStringFunc(form, regexp.QuoteMeta)
		form = regexp.MustCompile(`%[a-z]`).ReplaceAllString(strings.ReplaceAll(form, "%d", `(\d+)`), "(.+)")
		return regexp.MustCompile("^" + form + "$").MatchString(message)
	}
	for i, word := range words {
		form := word[1] + word[2]
		require.True(t, strings.Contains(said.String(), form), "the server never says %q", form)
		message := regexp.MustCompile(`%[a-z]`).ReplaceAllString(strings.ReplaceAll(form, "%d", "31"), "BYDAY")
		require.True(t, fits(form, message), form)
		for _, before := range words[:i] {
			require.False(t, fits(before[1]+before[2], message), "%q is taken for %q", form, before[1]+before[2])
		}
	}
}
