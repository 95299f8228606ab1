// Command build makes the page of web/src into the files that task-api embeds. It bundles
// with esbuild as a Go library, and takes what web/vendor has: neither Node nor a network.
// From the same sources it makes the same files, to the last bit.
//
//	go run ./web/build [-out FOLDER]
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// embedded is where task-api looks for the page, from the root of the repository.
const embedded = "services/task-api/internal/page/dist"

// vendored are the files in web/vendor that the sources import by these names.
var vendored = map[string]string{
	"preact":               "preact/preact.mjs",
	"preact/hooks":         "preact/hooks.mjs",
	"preact/jsx-runtime":   "preact/jsxRuntime.mjs",
	"@preact/signals":      "signals/signals.mjs",
	"@preact/signals-core": "signals-core/signals-core.mjs",
}

func main() {
	out := flag.String("out", "", "folder to write the page to (default: where task-api embeds it)")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "web/build:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	web, err := findWeb()
	if err != nil {
		return err
	}
	if out == "" {
		out = filepath.Join(filepath.Dir(web), filepath.FromSlash(embedded))
	}
	return build(web, out)
}

// findWeb returns the folder web, from the folder that the command runs in or one above.
func findWeb() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the folder: %w", err)
	}
	for at := dir; ; at = filepath.Dir(at) {
		web := filepath.Join(at, "web")
		if _, err := os.Stat(filepath.Join(web, "vendor", "vendor.json")); err == nil {
			return web, nil
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("%s is not inside the taskwire repository (no web/vendor there or above)", dir)
		}
	}
}

// languages are those of the page, each of which has scripts of its own: nobody loads the
// texts of another one.
var languages = []string{"en", "de"}

// build makes the page in a folder: for each language index.LANGUAGE.html with
// app.LANGUAGE.js and what that imports, which is loaded at once, and the parts that are
// loaded when they are wanted; app.css, icon.svg, licences.txt, and sw.js, again.js and
// manifest.webmanifest, whose addresses have no version. The server puts a hash of what is in all of them into their
// addresses. What a build before has left there goes.
func build(web, out string) error {
	web, err := filepath.Abs(web)
	if err != nil {
		return fmt.Errorf("find the sources: %w", err)
	}
	if out, err = filepath.Abs(out); err != nil {
		return fmt.Errorf("find the folder of the page: %w", err)
	}
	if err := os.MkdirAll(out, 0o750); err != nil {
		return fmt.Errorf("make the folder of the page: %w", err)
	}
	files := map[string][]byte{}
	for _, name := range []string{"icon.svg", "manifest.webmanifest"} {
		if files[name], err = os.ReadFile(filepath.Join(web, "src", name)); err != nil {
			return fmt.Errorf("read a file of the page: %w", err)
		}
	}
	if files["licences.txt"], err = licences(web); err != nil {
		return err
	}
	if _, err := bundle(web, "", files, api.EntryPoint{InputPath: "src/app.css", OutputPath: "app"}, api.EntryPoint{InputPath: "src/sw.ts", OutputPath: "sw"}, api.EntryPoint{InputPath: "src/again.ts", OutputPath: "again"}); err != nil {
		return err
	}
	index, err := os.ReadFile(filepath.Join(web, "src", "index.html"))
	if err != nil {
		return fmt.Errorf("read the page: %w", err)
	}
	for _, language := range languages {
		imports, err := bundle(web, language, files, api.EntryPoint{InputPath: "src/app.tsx", OutputPath: "app." + language})
		if err != nil {
			return err
		}
		// A browser would learn of them only once it has the first script.
		var preloads strings.Builder
		for _, name := range imports["app."+language+".js"] {
			fmt.Fprintf(&preloads, "<link rel=\"modulepreload\" href=\"/assets/VERSION/%s\">\n", name)
		}
		page := strings.NewReplacer("LANGUAGE", language, "<script type", preloads.String()+"<script type").Replace(string(index))
		files["index."+language+".html"] = []byte(page)
	}
	for name, content := range files {
		if err := place(filepath.Join(out, name), content); err != nil {
			return err
		}
	}
	there, err := os.ReadDir(out)
	if err != nil {
		return fmt.Errorf("list the folder of the page: %w", err)
	}
	for _, f := range there {
		if _, made := files[f.Name()]; made || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		if err := os.Remove(filepath.Join(out, f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove a file of the page before: %w", err)
		}
	}
	return nil
}

// bundle adds to the files what the entries lead to, with the texts of a language. It returns
// which scripts each of them imports at once.
func bundle(web, language string, files map[string][]byte, entries ...api.EntryPoint) (map[string][]string, error) {
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:       web,
		EntryPointsAdvanced: entries,
		Define:              map[string]string{"LANGUAGE": strconv.Quote(language)},
		Outdir:              "dist",
		Bundle:              true,
		Splitting:           true,
		ChunkNames:          "[name]-[hash]",
		Metafile:            true,
		Format:              api.FormatESModule,
		Target:              api.ES2022,
		JSX:                 api.JSXAutomatic,
		JSXImportSource:     "preact",
		MinifyWhitespace:    true,
		MinifyIdentifiers:   true,
		MinifySyntax:        true,
		LegalComments:       api.LegalCommentsNone,
		Banner:              map[string]string{"js": "/* The licences of what is in here: licences.txt beside it */"},
		Plugins:             []api.Plugin{vendor(web)},
	})
	if len(result.Errors) > 0 {
		return nil, errors.New("bundle the page: " + strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), ""))
	}
	for _, file := range result.OutputFiles {
		files[filepath.Base(file.Path)] = file.Contents
	}
	var meta struct {
		Outputs map[string]struct {
			Imports []struct{ Path, Kind string }
		}
	}
	if err := json.Unmarshal([]byte(result.Metafile), &meta); err != nil {
		return nil, fmt.Errorf("read what the page imports: %w", err)
	}
	imports := map[string][]string{}
	for script, output := range meta.Outputs {
		for _, i := range output.Imports {
			if i.Kind == "import-statement" {
				imports[path.Base(script)] = append(imports[path.Base(script)], path.Base(i.Path))
			}
		}
	}
	return imports, nil
}

// licences are those of what the page is made of, which go where it goes.
func licences(web string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join(web, "vendor", "vendor.json"))
	if err != nil {
		return nil, fmt.Errorf("read what is vendored: %w", err)
	}
	var packages []struct {
		Package, Version string
		Files            []struct{ Name string }
	}
	if err := json.Unmarshal(raw, &packages); err != nil {
		return nil, fmt.Errorf("read what is vendored: %w", err)
	}
	var all bytes.Buffer
	for _, p := range packages {
		for _, f := range p.Files {
			if path.Base(f.Name) != "LICENSE" {
				continue
			}
			text, err := os.ReadFile(filepath.Join(web, "vendor", filepath.FromSlash(f.Name)))
			if err != nil {
				return nil, fmt.Errorf("read the licence of %s: %w", p.Package, err)
			}
			fmt.Fprintf(&all, "%s %s\n\n%s\n\n", p.Package, p.Version, text)
		}
	}
	return all.Bytes(), nil
}

// place writes a file whole or not at all, and only what has changed: two builds at the same
// time do not disturb each other, and Go links anew only what differs.
func place(path string, content []byte) error {
	if there, err := os.ReadFile(path); err == nil && string(there) == string(content) {
		return nil
	}
	// Outside the folder, which Go may be embedding at this moment.
	beside, err := os.CreateTemp(filepath.Dir(filepath.Dir(path)), ".page-*")
	if err != nil {
		return fmt.Errorf("make a file of the page: %w", err)
	}
	defer os.Remove(beside.Name()) // it is gone when all went well
	if _, err := beside.Write(content); err != nil {
		return errors.Join(fmt.Errorf("write a file of the page: %w", err), beside.Close())
	}
	if err := beside.Chmod(0o644); err != nil {
		return errors.Join(fmt.Errorf("write a file of the page: %w", err), beside.Close())
	}
	if err := beside.Close(); err != nil {
		return fmt.Errorf("write a file of the page: %w", err)
	}
	if err := os.Rename(beside.Name(), path); err != nil {
		return fmt.Errorf("move a file of the page into place: %w", err)
	}
	return nil
}

// vendor has packages come from web/vendor, and no others.
func vendor(web string) api.Plugin {
	return api.Plugin{Name: "vendor", Setup: func(b api.PluginBuild) {
		b.OnResolve(api.OnResolveOptions{Filter: `^[^./]`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			if args.Kind == api.ResolveEntryPoint {
				return api.OnResolveResult{}, nil
			}
			file, ok := vendored[args.Path]
			if !ok {
				return api.OnResolveResult{}, fmt.Errorf("%s is not in web/vendor", args.Path)
			}
			return api.OnResolveResult{Path: filepath.Join(web, "vendor", filepath.FromSlash(file))}, nil
		})
	}}
}
