// Package observability holds the alerts and dashboards against the metrics that
// the services have, and the alerts against their own unit tests.
package observability

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/test/manifests"
)

const folder = "k8s/observability"

var (
	// named finds where a service names a metric of its own.
	named = regexp.MustCompile(`"(taskwire_[a-z_]+)"`)
	// used finds the metrics of the services in a PromQL expression or a text.
	used = regexp.MustCompile(`\btaskwire_[a-z_]+`)
	// part is what a histogram adds to its name.
	part = regexp.MustCompile(`_(bucket|count|sum)$`)
)

// metrics are those that the services' code has.
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range []string{"pkg", "services"} {
		tree := os.DirFS(filepath.Join(manifests.Root, dir))
		err := fs.WalkDir(tree, ".", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			code, err := fs.ReadFile(tree, path)
			for _, m := range named.FindAllSubmatch(code, -1) {
				found[string(m[1])] = true
			}
			return err
		})
		require.NoError(t, err)
	}
	for _, channel := range []string{"taskwire_events", "taskwire_reminders"} {
		delete(found, channel) // what Postgres is told of by NOTIFY
	}
	require.NotEmpty(t, found)
	return found
}

type rules struct {
	Groups []struct {
		Rules []struct {
			Alert, Record, Expr string
			Labels, Annotations map[string]string
		}
	}
}

func alerts(t *testing.T) rules {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(manifests.Root, folder, "alerts.yaml"))
	require.NoError(t, err)
	var r rules
	require.NoError(t, yaml.Unmarshal(raw, &r))
	require.NotEmpty(t, r.Groups)
	return r
}

func exist(t *testing.T, known map[string]bool, where, text string) {
	t.Helper()
	for _, name := range used.FindAllString(text, -1) {
		require.True(t, known[name] || known[part.ReplaceAllString(name, "")], "%s: no service has a metric %s", where, name)
	}
}

func TestAlertsAskForMetricsThatExistAndAreExplained(t *testing.T) {
	known := metrics(t)
	guide, err := os.ReadFile(filepath.Join(manifests.Root, "docs/operations.md"))
	require.NoError(t, err)
	tests, err := os.ReadFile(filepath.Join(manifests.Root, folder, "alerts_test.yaml"))
	require.NoError(t, err)
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			exist(t, known, r.Alert+r.Record, r.Expr)
			if r.Alert == "" {
				continue
			}
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			require.Contains(t, string(guide), "`"+r.Alert+"`", "docs/operations.md says what to do")
			require.GreaterOrEqual(t, strings.Count(string(tests), "alertname: "+r.Alert+"}"), 1, "%s: a case in which it is quiet", r.Alert)
			require.Contains(t, string(tests), "alertname: "+r.Alert+"\n", "a case in which it fires")
		}
	}
	// The guide names metrics too, and all of them.
	exist(t, known, "docs/operations.md", string(guide))
	for name := range known {
		require.Contains(t, string(guide), name)
	}
}

func TestDashboardsShowMetricsThatExist(t *testing.T) {
	known := metrics(t)
	var recorded []string
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			recorded = append(recorded, r.Record)
		}
	}
	files, err := filepath.Glob(filepath.Join(manifests.Root, folder, "dashboards", "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	shown := ""
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var d struct {
			UID, Title string
			Panels     []struct {
				ID                 int
				Title, Description string
				GridPos            struct{ X, Y, W, H int }
				Targets            []struct{ Expr string }
			}
		}
		require.NoError(t, json.Unmarshal(raw, &d))
		require.NotEmpty(t, d.UID)
		ids := map[int]bool{}
		for _, p := range d.Panels {
			require.False(t, ids[p.ID], "%s has two panels %d", d.Title, p.ID)
			ids[p.ID] = true
			require.NotEmpty(t, p.Description, p.Title)
			require.NotEmpty(t, p.Targets, p.Title)
			require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
			for _, q := range p.Targets {
				exist(t, known, p.Title, q.Expr)
				for _, name := range regexp.MustCompile(`taskwire:[a-z_:]+`).FindAllString(q.Expr, -1) {
					require.True(t, slices.Contains(recorded, name), "%s: no rule records %s", p.Title, name)
				}
				shown += q.Expr + "\n"
			}
		}
	}
	for name := range known {
		if !strings.HasSuffix(name, "_timestamp_seconds") { // seen as taskwire:consumer_behind:seconds
			require.Contains(t, shown, name, "no dashboard shows it")
		}
	}
}

// A consumer that is not there tells nothing: the rules know who has to be.
func TestTheRulesKnowEverySubscription(t *testing.T) {
	var want, got []string
	raw, err := os.ReadFile(filepath.Join(manifests.Root, "dapr/components/subscriptions-kafka.yaml"))
	require.NoError(t, err)
	for documents := yaml.NewDecoder(bytes.NewReader(raw)); ; {
		var s struct {
			Spec   struct{ Topic string }
			Scopes []string
		}
		err := documents.Decode(&s)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		for _, app := range s.Scopes {
			want = append(want, app+" "+s.Spec.Topic)
		}
	}
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			if r.Record == "taskwire:subscription" {
				got = append(got, r.Labels["service"]+" "+r.Labels["topic"])
			}
		}
	}
	require.ElementsMatch(t, want, got)
}

// The alerts' own tests, and what Prometheus says of its files.
func TestAlertsFireWhenTheyShould(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		promtool, err = filepath.Abs(filepath.Join(manifests.Root, ".local/promtool/usr/bin/promtool"))
		require.NoError(t, err)
		if _, err := os.Stat(promtool); err != nil {
			t.Skip("no promtool: make promtool fetches it from Debian")
		}
	}
	for _, args := range [][]string{
		{"check", "rules", "alerts.yaml"},
		{"test", "rules", "alerts_test.yaml"},
		{"check", "config", "--syntax-only", "../../compose/prometheus.yaml"},
	} {
		cmd := exec.CommandContext(t.Context(), promtool, args...)
		cmd.Dir = filepath.Join(manifests.Root, folder)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "promtool %s: %s", strings.Join(args, " "), out)
	}
}
