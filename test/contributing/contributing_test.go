// Package contributing does what CONTRIBUTING.md says, in a copy of the repository.
package contributing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/manifests"
	"github.com/taskwire/taskwire/test/services"
	"github.com/taskwire/taskwire/test/settings"
	"github.com/taskwire/taskwire/test/suite"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

// most is how many files each of the walks may change, those that its commands write
// among them.
var most = map[string]int{"A field": 8, "A type of event": 8, "A service": 12}

// copied is a copy of the repository as it lies there, without what is built.
func copied(t *testing.T) string {
	t.Helper()
	root, err := suite.NewDir("contributing")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	for path, text := range contents(t, services.Root) {
		to := filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(to), 0o755))
		require.NoError(t, os.WriteFile(to, []byte(text), 0o644))
	}
	return root
}

// contents are the files of a repository by their paths.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	tree := os.DirFS(root)
	require.NoError(t, fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path == ".git" || path == ".local" || path == "bin":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(tree, path)
		files[path] = string(text)
		return err
	}))
	return files
}

// file is one of them, if it is there.
func file(t *testing.T, root, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	return map[string]string{path: string(text)}
}

// changed are the files that differ.
func changed(before, after map[string]string) []string {
	var paths []string
	for path, text := range after {
		if was, ok := before[path]; !ok || was != text {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return paths
}

// steps are those of a section of the document.
func steps(t *testing.T, title string) []step {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(services.Root, "CONTRIBUTING.md"))
	require.NoError(t, err)
	all, err := walk(string(document), title)
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

// Whoever does what the document says has a suite with a new field, a new type of
// event, and a service that logs each.
func TestWhatTheDocumentSaysWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("the same on every broker")
	}
	root := copied(t)
	for _, title := range slices.Sorted(maps.Keys(most)) {
		before := contents(t, root)
		for _, s := range steps(t, title) {
			require.NoError(t, s.take(root))
		}
		files := changed(before, contents(t, root))
		t.Logf("%s, %d files:\n%s", title, len(files), strings.Join(files, "\n"))
		require.LessOrEqual(t, len(files), most[title], title)
	}
	found, err := services.Missing(root)
	require.NoError(t, err)
	require.Empty(t, found)

	t.Run("the code is formatted", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), "gofmt", "-l", filepath.Join(root, "services"), filepath.Join(root, "pkg")).CombinedOutput()
		require.NoError(t, err)
		require.Empty(t, string(out))
	})
	t.Run("no list lacks the field or the type", func(t *testing.T) {
		lists := exec.CommandContext(t.Context(), "go", "test", "./pkg/event", "./services/task-api/internal/rest")
		lists.Dir = root
		out, err := lists.CombinedOutput()
		require.NoError(t, err, "%s", out)
	})
	t.Run("its image is built with the others", func(t *testing.T) {
		images := exec.CommandContext(t.Context(), "go", "run", "./images", "-out", t.TempDir(), "nobody")
		images.Dir = root
		out, err := images.CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "the services are task-api, audit-log, recurring-task, notification, journal")
	})
	t.Run("docker compose starts it", func(t *testing.T) {
		secrets := exec.CommandContext(t.Context(), "bash", filepath.Join(root, "compose", "secrets.sh"))
		out, err := secrets.CombinedOutput()
		require.NoError(t, err, "%s", out)
		project, err := composed(root)
		require.NoError(t, err)
		require.Contains(t, *project.Services["journal"].Environment["DATABASE_URL"], "//journal:")
		require.Contains(t, project.Services["postgres"].Environment, "JOURNAL_PASSWORD")
	})
	t.Run("every overlay has it", func(t *testing.T) {
		was := manifests.Root
		manifests.Root = root
		t.Cleanup(func() { manifests.Root = was })
		code, err := manifests.ReadCode(func(service string) map[string]settings.Setting { return settings.Of(t, service) })
		require.NoError(t, err)
		overlays, err := manifests.Overlays()
		require.NoError(t, err)
		for _, overlay := range overlays {
			objects, err := manifests.Render(overlay)
			require.NoError(t, err)
			secrets, err := manifests.Secrets(overlay)
			require.NoError(t, err)
			require.Empty(t, manifests.Walk(objects, secrets, code), overlay)
			require.True(t, slices.ContainsFunc(objects, func(o manifests.Object) bool { return o.String() == "Deployment/journal" }), overlay)
		}
	})
	t.Run("it gets events", func(t *testing.T) {
		getsEvents(t, root)
	})
}

// getsEvents starts the suite of a copy.
func getsEvents(t *testing.T, root string) {
	t.Helper()
	programs := exec.CommandContext(t.Context(), "go", "run", "./dapr/local", "programs")
	programs.Dir, programs.Stderr = services.Root, os.Stderr
	out, err := programs.Output()
	require.NoError(t, err)
	daprd, _, _ := strings.Cut(string(out), "\n")

	dir, err := suite.NewDir("journal")
	require.NoError(t, err)
	t.Chdir(root)
	s, err := suite.Start(context.WithoutCancel(t.Context()), dir, "DAPRD="+daprd)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Stop())
		if !t.Failed() {
			_ = os.RemoveAll(dir)
		}
	})
	u, err := s.Register(t.Context(), "ada@example.org", "UTC")
	require.NoError(t, err)
	type task struct {
		ID      string `json:"id"`
		Starred bool   `json:"starred"`
	}
	ask := func(status int, method, path string, body map[string]any) task {
		a, err := u.Do(t.Context(), method, path, body)
		require.NoError(t, err)
		require.Equal(t, status, a.Status, "%s", a.Body)
		var answered task
		require.NoError(t, a.JSON(&answered))
		return answered
	}
	parent := ask(http.StatusCreated, http.MethodPost, "/api/tasks", map[string]any{"title": "A list", "starred": true})
	require.True(t, parent.Starred)
	child := ask(http.StatusCreated, http.MethodPost, "/api/tasks", map[string]any{"title": "A task"})
	require.False(t, child.Starred)
	moved := ask(http.StatusOK, http.MethodPatch, "/api/tasks/"+child.ID, map[string]any{"parent_id": parent.ID, "starred": true})
	require.True(t, moved.Starred)
	for _, kind := range []string{"task.created", "task.updated", "task.moved"} {
		suitetest.Eventually(t, func() error {
			n, err := s.LogLines("journal", "type="+kind)
			if err == nil && n == 0 {
				err = fmt.Errorf("journal has not logged %s", kind)
			}
			return err
		})
	}
}

// composed is what docker compose makes of its file.
func composed(root string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")}, cli.WithWorkingDirectory(root), cli.WithResolvedPaths(true))
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, fmt.Errorf("docker-compose.yml: %w", err)
	}
	return project.WithServicesEnvironmentResolved(true)
}

// Whoever leaves out a step is told what to add, and where.
func TestAStepThatIsLeftOutIsNoticed(t *testing.T) {
	if testing.Short() {
		t.Skip("the same on every broker")
	}
	for _, title := range []string{"A type of event", "A service"} {
		t.Run(title, func(t *testing.T) {
			root := copied(t)
			// What go test writes, and what is in a test, that one misses itself.
			all := slices.DeleteFunc(steps(t, title), func(s step) bool {
				return strings.Contains(s.text, "go test") || strings.HasPrefix(s.file, "test/")
			})
			became := make([]map[string][2]string, len(all)) // the files of each step: before and after
			for i, s := range all {
				// A command changes more than the file that it is for.
				look := func() map[string]string { return contents(t, root) }
				if s.file != "" {
					look = func() map[string]string { return file(t, root, s.file) }
				}
				before := look()
				require.NoError(t, s.take(root))
				became[i] = map[string][2]string{}
				after := look()
				for _, path := range changed(before, after) {
					became[i][path] = [2]string{before[path], after[path]}
				}
			}
			for i, s := range all {
				undo(t, root, s, became[i])
				found := missing(t, root)
				if s.file == "docker-compose.yml" {
					if _, err := composed(root); err != nil {
						found = append(found, err.Error())
					}
				}
				t.Logf("without %s\n=> %s", s, strings.Join(found, "\n   "))
				for path := range became[i] {
					if filepath.Base(path) == "go.mod" && s.kind == "sh" {
						continue // it goes with go.sum
					}
					require.True(t, slices.ContainsFunc(found, func(problem string) bool {
						where, _, _ := strings.Cut(problem, ": ")
						return where == path || strings.HasPrefix(path, where+"/")
					}), "nobody misses\n%s\nof %s, but: %v", s, path, found)
				}
				redo(t, root, s, became[i])
			}
			require.Empty(t, missing(t, root))
		})
	}
}

func missing(t *testing.T, root string) []string {
	t.Helper()
	found, err := services.Missing(root)
	require.NoError(t, err)
	return found
}

// undo takes a step back while the others stay.
func undo(t *testing.T, root string, s step, became map[string][2]string) {
	t.Helper()
	if s.kind == "diff" {
		require.NoError(t, replace(filepath.Join(root, s.file), s.after, s.before))
		return
	}
	for path, texts := range became {
		path = filepath.Join(root, path)
		if texts[0] == "" {
			require.NoError(t, os.Remove(path))
			continue
		}
		require.NoError(t, os.WriteFile(path, []byte(texts[0]), 0o644))
	}
}

// redo takes a step again that was undone.
func redo(t *testing.T, root string, s step, became map[string][2]string) {
	t.Helper()
	if s.kind == "diff" {
		require.NoError(t, s.take(root))
		return
	}
	for path, texts := range became {
		require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(texts[1]), 0o644))
	}
}

// Whoever gives a topic a name, and handles it, is told where it has to be known.
func TestATopicThatIsNotKnownIsNoticed(t *testing.T) {
	root := copied(t)
	for path, change := range map[string][2]string{
		"pkg/event/event.go":              {"const (\n\tTopicTasks ", "const (\n\tTopicLists     = \"lists\"\n\tTopicTasks "},
		"services/recurring-task/main.go": {"\treturn events\n", "\tevents.Idempotent(event.TopicLists, consumer.Handle)\n\treturn events\n"},
	} {
		require.NoError(t, replace(filepath.Join(root, path), change[0], change[1]))
	}
	found, err := services.Missing(root)
	require.NoError(t, err)
	require.Contains(t, found, "pkg/event/event.go: add TopicLists to Topics")

	require.NoError(t, replace(filepath.Join(root, "pkg/event/event.go"), "TopicAudit}", "TopicAudit, TopicLists}"))
	found, err = services.Missing(root)
	require.NoError(t, err)
	want := []string{
		"docs/events.md: describe the topic lists",
		"services/task-api/internal/reconcile/consumers.go: add recurring-task, its schema and the topic lists to subscriptions",
	}
	for _, broker := range []string{"kafka", "redis"} {
		for _, add := range []string{
			"add lists to allowedTopics", "add lists to protectedTopics", "let publishingScopes say task-api=lists",
			"let subscriptionScopes say recurring-task=lists", "add a Subscription to lists, with the scope recurring-task",
		} {
			want = append(want, "dapr/components/"+broker+"/pubsub.yaml: "+add)
		}
	}
	require.ElementsMatch(t, want, found)
}
