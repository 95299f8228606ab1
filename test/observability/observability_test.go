// Package observability holds the alerts and dashboards against the metrics that
// the services have, and the alerts against their own unit tests.
package observability

import (
	"encoding/json"
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
	// used finds the metrics of the services in a text.
	used = regexp.MustCompile(`\btaskwire_[a-z_]+`)
	// part is what a histogram adds to its name.
	part = regexp.MustCompile(`_(bucket|count|sum)$`)
	// aside is what of a PromQL expression looks like a metric and can be cut
	// out: texts, matchers, ranges and lists of labels.
	aside = regexp.MustCompile(`"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)`)
	// word is a metric, an operator, or, with its parenthesis, a function.
	word      = regexp.MustCompile(`\b[a-zA-Z_][a-zA-Z0-9_:]*(\s*\()?`)
	operators = []string{"and", "or", "unless", "bool", "offset"}
)

// foreign are the metrics that are not of the services' own code, and who has
// them. What is not in here nobody scrapes: kube-state-metrics, say.
var foreign = map[string]string{
	"up":                                 "Prometheus itself, of each target",
	"ALERTS":                             "Prometheus itself, of each alert",
	"go_sql_in_use_connections":          "client_golang's collector of the database's pool (pkg/service)",
	"go_sql_wait_duration_seconds_total": "the same",
	"process_start_time_seconds":         "client_golang's collector of the process",
	"process_resident_memory_bytes":      "the same",
}

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
	// What Postgres is told of by NOTIFY, and a cookie.
	for _, other := range []string{"taskwire_events", "taskwire_reminders", "taskwire_device"} {
		delete(found, other)
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

// asked are the metrics that a PromQL expression names.
func asked(expr string) (names []string) {
	for _, w := range word.FindAllString(aside.ReplaceAllString(expr, " "), -1) {
		if !strings.HasSuffix(w, "(") && !slices.Contains(operators, w) {
			names = append(names, w)
		}
	}
	return names
}

// answered checks that there is each metric that an expression asks for: one of
// the services, one that a rule records, or a foreign one.
func answered(t *testing.T, known map[string]bool, where, expr string) {
	t.Helper()
	for _, name := range asked(expr) {
		there := known[name] || known[part.ReplaceAllString(name, "")] || foreign[name] != ""
		if strings.Contains(name, ":") {
			there = slices.Contains(recorded(t), name)
		}
		require.True(t, there, "%s: nobody has a metric %s", where, name)
	}
}

// recorded are the names that the rules add.
func recorded(t *testing.T) (names []string) {
	t.Helper()
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			names = append(names, r.Record)
		}
	}
	return names
}

func TestTheMetricsOfAnExpressionAreFound(t *testing.T) {
	for expr, want := range map[string][]string{
		`vector(1)`:                     nil,
		`absent(up{job="x"} offset 5m)`: {"up"},
		`sum by (a, b) (rate(one_total{two="three_four"}[5m])) / on (c) group_left () max(five) > bool 0.5`: {"one_total", "five"},
		"(time() - a:b:c)\n* (d < bool on (topic) group_left () (e offset 1m)) or f unless g and h":         {"a:b:c", "d", "e", "f", "g", "h"},
		`sum(kube_job_status_failed{namespace="taskwire"}) > 0`:                                             {"kube_job_status_failed"},
		`histogram_quantile(0.5, sum by (le) (rate(x_bucket[10m]))) > 36 * 3600`:                            {"x_bucket"},
		`topk(8, max without (pod) (last_over_time(x[1d])))`:                                                {"x"},
	} {
		require.Equal(t, want, asked(expr), expr)
	}
}

func TestAlertsAskForMetricsThatExistAndAreExplained(t *testing.T) {
	known := metrics(t)
	guide, err := os.ReadFile(filepath.Join(manifests.Root, "docs/operations.md"))
	require.NoError(t, err)
	tests, err := os.ReadFile(filepath.Join(manifests.Root, folder, "alerts_test.yaml"))
	require.NoError(t, err)
	var told []string
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			answered(t, known, r.Alert+r.Record, r.Expr)
			if r.Alert == "" {
				continue
			}
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			told = append(told, r.Alert)
			require.GreaterOrEqual(t, strings.Count(string(tests), "alertname: "+r.Alert+"}"), 1, "%s: a case in which it is quiet", r.Alert)
			require.Contains(t, string(tests), "alertname: "+r.Alert+"\n", "a case in which it fires")
		}
	}
	// Of each alert the guide has a section, in their order.
	_, part, _ := strings.Cut(string(guide), "\n## What each alert means\n")
	part, _, _ = strings.Cut(part, "\n## ")
	var sections []string
	for _, heading := range regexp.MustCompile(`(?m)^### (Taskwire[A-Za-z]+)$`).FindAllStringSubmatch(part, -1) {
		sections = append(sections, heading[1])
	}
	require.Equal(t, told, sections)
	// The guide names metrics too, and all of them.
	exist(t, known, "docs/operations.md", string(guide))
	for name := range known {
		require.Contains(t, string(guide), name)
	}
}

func TestDashboardsShowMetricsThatExist(t *testing.T) {
	known := metrics(t)
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
				answered(t, known, p.Title, q.Expr)
				shown += q.Expr + "\n"
			}
		}
	}
	for _, g := range alerts(t).Groups {
		for _, r := range g.Rules {
			if r.Record != "" && strings.Contains(shown, r.Record) {
				shown += r.Expr + "\n"
			}
		}
	}
	for name := range known {
		if !strings.HasSuffix(name, "_timestamp_seconds") && name != "taskwire_subscription" { // the rules compare them
			require.Contains(t, shown, name, "no dashboard shows it")
		}
	}
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
