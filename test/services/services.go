// Package services is the list of the suite's services, dapr/dapr.yaml, and what
// each of them lacks elsewhere.
package services

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Root is the folder of the repository: the first above the working directory that
// has a go.work in it.
var Root = root()

func root() string {
	for up := "."; len(up) < 64; up = filepath.Join("..", up) {
		if _, err := os.Stat(filepath.Join(up, "go.work")); err == nil {
			return up
		}
	}
	return "."
}

// Service is an app of dapr/dapr.yaml.
type Service struct {
	ID       string   `yaml:"appID"`
	Port     string   `yaml:"appPort"`
	Consumes []string `yaml:"-"` // the topics that its code handles
}

// Variable is what the names of the variables begin with that change its ports
// under `make run`.
func (s Service) Variable() string {
	return strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(s.ID, "task-"), "-", "_"))
}

// IDs are the services by their names, in the order of the list.
func IDs(all []Service) []string {
	var names []string
	for _, s := range all {
		names = append(names, s.ID)
	}
	return names
}

var (
	topicPattern    = regexp.MustCompile(`(?m)^\s+(Topic\w+)\s+= "([a-z-]+)"`)
	typePattern     = regexp.MustCompile(`(?m)^\s+([A-Z]\w+)\s+= "((?:task|reminder|comment)\.[a-z_]+)"`)
	topicsPattern   = regexp.MustCompile(`(?m)^var Topics = \[\]string\{(.*)\}`)
	consumesPattern = regexp.MustCompile(`events\.(?:InTx|Idempotent)\(event\.(Topic\w+)`)
)

// Read reads the list of the repository in root, and of each service's code what
// it consumes.
func Read(root string) ([]Service, error) {
	var file struct{ Apps []Service }
	if err := readYAML(filepath.Join(root, "dapr", "dapr.yaml"), &file); err != nil {
		return nil, err
	}
	topics, err := topicNames(root)
	if err != nil {
		return nil, err
	}
	for i, s := range file.Apps {
		code, err := Source(root, "services", s.ID)
		if err != nil {
			return nil, err
		}
		for _, m := range consumesPattern.FindAllStringSubmatch(code, -1) {
			topic, ok := topics[m[1]]
			if !ok {
				return nil, fmt.Errorf("%s handles event.%s, which pkg/event/event.go does not have", s.ID, m[1])
			}
			file.Apps[i].Consumes = append(file.Apps[i].Consumes, topic)
		}
		slices.Sort(file.Apps[i].Consumes)
	}
	return file.Apps, nil
}

// topicNames are the constants of pkg/event.
func topicNames(root string) (map[string]string, error) {
	code, err := os.ReadFile(filepath.Join(root, "pkg", "event", "event.go"))
	if err != nil {
		return nil, fmt.Errorf("read the topics: %w", err)
	}
	names := map[string]string{}
	for _, m := range topicPattern.FindAllStringSubmatch(string(code), -1) {
		names[m[1]] = m[2]
	}
	return names, nil
}

// Topics are those of event.Topics, in their order.
func Topics(root string) ([]string, error) {
	names, err := topicNames(root)
	if err != nil {
		return nil, err
	}
	code, err := os.ReadFile(filepath.Join(root, "pkg", "event", "event.go"))
	if err != nil {
		return nil, fmt.Errorf("read the topics: %w", err)
	}
	var topics []string
	if listed := topicsPattern.FindSubmatch(code); listed != nil {
		for name := range strings.SplitSeq(string(listed[1]), ", ") {
			topics = append(topics, names[name])
		}
	}
	return topics, nil
}

// Source is all Go code below a folder of the repository, without its tests.
func Source(root string, path ...string) (string, error) {
	folder := os.DirFS(filepath.Join(append([]string{root}, path...)...))
	var all strings.Builder
	err := fs.WalkDir(folder, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(folder, path)
		all.Write(text)
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the code: %w", err)
	}
	return all.String(), nil
}

func readYAML(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read a list of services: %w", err)
	}
	if err := yaml.Unmarshal(text, into); err != nil {
		return fmt.Errorf("parse %s: %w", path, err)
	}
	return nil
}

// readAll reads each document of a YAML file.
func readAll[T any](path string) ([]T, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read a list of services: %w", err)
	}
	var all []T
	for documents := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var one T
		switch err := documents.Decode(&one); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("parse %s: %w", path, err)
		}
		all = append(all, one)
	}
}
