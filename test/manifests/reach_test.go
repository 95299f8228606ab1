package manifests

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/services"
)

// Who reaches whom: what no line allows is refused.
func TestWhoReachesWhom(t *testing.T) {
	all, err := services.Read(Root)
	require.NoError(t, err)
	names := services.IDs(all)
	groups := map[string][]string{
		"services":  names,
		"suite":     append(slices.Clone(names), "reconcile"),
		"strangers": {"outside", "elsewhere", "monitoring", "dapr-system", "kube-system"},
	}
	everywhere := []string{
		"strangers > task-api : 8000",
		"monitoring > services : 9100 9090",
		"services > services : 50002",
		"services > dapr-system : 50001 6500",
		"suite > kube-system : 53 53/UDP",
	}
	outside := append(slices.Clone(everywhere),
		"suite > outside : 5432",
		"services > outside : 9092 9093 9094 9096 9098",
		"notification > outside : 25 465 587",
		"services > monitoring : 4318",
	)
	for overlay, lines := range map[string][]string{
		"local":       append(slices.Clone(everywhere), "suite > postgres : 5432", "services > kafka : 9092", "notification > mail : 1025"),
		"local-redis": append(slices.Clone(everywhere), "suite > postgres : 5432", "services > redis : 6379", "notification > mail : 1025"),
		"production":  outside,
		"serverless":  outside,
	} {
		t.Run(overlay, func(t *testing.T) {
			var want []string
			for _, line := range lines {
				fields := strings.Fields(line)
				members := func(name string) []string {
					if group, ok := groups[name]; ok {
						return group
					}
					return []string{name}
				}
				for _, from := range members(fields[0]) {
					for _, to := range members(fields[2]) {
						for _, port := range fields[4:] {
							want = append(want, from+" > "+to+" : "+port)
						}
					}
				}
			}
			objects, err := Render(overlay)
			require.NoError(t, err)
			require.ElementsMatch(t, want, reached(objects))
		})
	}
}

// reached are all connections that the policies let through, to ports that there
// are, and to one that there is not.
func reached(objects []Object) []string {
	ends := []end{
		{name: "outside"}, {name: "elsewhere", namespace: "elsewhere"}, {name: "monitoring", namespace: "monitoring"},
		{name: "dapr-system", namespace: "dapr-system"}, {name: "kube-system", namespace: "kube-system", labels: map[string]any{"k8s-app": "kube-dns"}},
	}
	for _, p := range pods(objects) {
		ends = append(ends, end{name: p.owner.Name(), pod: &p, namespace: text(at(p.owner, "metadata", "namespace"))})
	}
	numbers := []string{"1", "25", "53", "53/UDP", "443", "465", "587", "1025", "3500", "4318", "5432", "6379", "6500", "8000", "8001", "8002", "8003", "8004", "8025", "9090", "9091", "9092", "9093", "9094", "9096", "9098", "9100", "50001", "50002"}
	var found []string
	for _, from := range ends {
		for _, to := range ends {
			if from.pod == nil && to.pod == nil {
				continue
			}
			for _, port := range numbers {
				if reaches(objects, from, to, port) {
					found = append(found, from.name+" > "+to.name+" : "+port)
				}
			}
		}
	}
	return found
}
