package observability

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/taskwire/taskwire/test/manifests"
)

// update writes rules.yaml anew: go test ./observability -update.
var update = flag.Bool("update", false, "write the PrometheusRule anew")

const ruleHeader = `# alerts.yaml of ../../observability for the Prometheus Operator. Made by
# "go test ./observability -update" in the folder "test".
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: taskwire
spec:
`

// The alerts are written once; the PrometheusRule repeats them.
func TestThePrometheusRuleIsOurAlerts(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(manifests.Root, folder, "alerts.yaml"))
	require.NoError(t, err)
	file := filepath.Join(manifests.Root, "k8s/components/prometheus-operator/rules.yaml")
	if *update {
		_, groups, _ := strings.Cut("\n"+string(source), "\ngroups:")
		made := ruleHeader + strings.ReplaceAll("  groups:"+strings.ReplaceAll(groups, "\n", "\n  "), "\n  \n", "\n\n")
		require.NoError(t, os.WriteFile(file, []byte(strings.TrimRight(made, " \n")+"\n"), 0o600))
	}
	var want, got struct{ Groups []any }
	require.NoError(t, yaml.Unmarshal(source, &want))
	rule, err := manifests.ReadFile("k8s/components/prometheus-operator/rules.yaml")
	require.NoError(t, err)
	require.Len(t, rule, 1)
	spec, err := yaml.Marshal(rule[0]["spec"])
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(spec, &got))
	require.NotEmpty(t, got.Groups)
	require.Equal(t, want, got, `go test ./observability -update, in the folder "test"`)
}

// The alerts ask for labels that whoever scrapes has to give. Both ways to scrape
// take the same pods and ports, and give the same labels.
func TestThePodMonitorsScrapeWhatPrometheusIsToldTo(t *testing.T) {
	type relabeling struct {
		SourceLabels       []string `yaml:"sourceLabels"`
		Target             string   `yaml:"targetLabel"`
		Replacement        string
		SourceLabelsNative []string `yaml:"source_labels"`
		TargetNative       string   `yaml:"target_label"`
		Regex, Action      string
	}
	type target struct{ partOf, port, job, interval, service string }
	raw, err := os.ReadFile(filepath.Join(manifests.Root, folder, "prometheus.yaml"))
	require.NoError(t, err)
	var native struct {
		Global struct {
			Interval string `yaml:"scrape_interval"`
		}
		Scrape []struct {
			Job     string       `yaml:"job_name"`
			Relabel []relabeling `yaml:"relabel_configs"`
		} `yaml:"scrape_configs"`
	}
	require.NoError(t, yaml.Unmarshal(raw, &native))
	var want, got []target
	for _, s := range native.Scrape {
		made := target{job: s.Job, interval: native.Global.Interval}
		for _, r := range s.Relabel {
			switch {
			case r.Action == "keep":
				require.Equal(t, []string{"__meta_kubernetes_pod_label_app_kubernetes_io_part_of", "__meta_kubernetes_pod_container_port_name"}, r.SourceLabelsNative)
				made.partOf, made.port, _ = strings.Cut(r.Regex, ";")
			case r.TargetNative == "service":
				made.service = r.SourceLabelsNative[0]
			}
		}
		want = append(want, made)
	}

	raw, err = os.ReadFile(filepath.Join(manifests.Root, "k8s/components/prometheus-operator/monitors.yaml"))
	require.NoError(t, err)
	for documents := yaml.NewDecoder(bytes.NewReader(raw)); len(got) < len(want); {
		var monitor struct {
			Spec struct {
				Selector struct {
					Labels map[string]string `yaml:"matchLabels"`
				}
				Endpoints []struct {
					Port, Interval string
					Relabelings    []relabeling
				} `yaml:"podMetricsEndpoints"`
			}
		}
		require.NoError(t, documents.Decode(&monitor))
		require.Len(t, monitor.Spec.Selector.Labels, 1)
		require.Len(t, monitor.Spec.Endpoints, 1)
		endpoint := monitor.Spec.Endpoints[0]
		made := target{partOf: monitor.Spec.Selector.Labels["app.kubernetes.io/part-of"], port: endpoint.Port, interval: endpoint.Interval}
		for _, r := range endpoint.Relabelings {
			switch r.Target {
			case "job":
				made.job = r.Replacement
			case "service":
				made.service = r.SourceLabels[0]
			}
		}
		got = append(got, made)
	}
	require.Equal(t, want, got)
}
