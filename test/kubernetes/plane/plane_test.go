// Package plane applies every overlay to a control plane: a real API server with
// its controllers and its scheduler, and no node. `make k8s-plane-test` brings
// one up and runs this; TASKWIRE_PLANE names its kubeconfig.
package plane

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/taskwire/taskwire/test/manifests"
	"github.com/taskwire/taskwire/test/suite/suitetest"
)

// patience is how long the controllers may take. It bounds a failure, not a success.
const patience = 2 * time.Minute

// kubectl runs it with what comes on its standard input.
func kubectl(t *testing.T, input string, args ...string) (string, error) {
	t.Helper()
	config := os.Getenv("TASKWIRE_PLANE")
	if config == "" {
		t.Skip("TASKWIRE_PLANE names no control plane; `make k8s-plane-test` brings one up")
	}
	c := exec.CommandContext(t.Context(), "kubectl", append([]string{"--kubeconfig", config}, args...)...)
	c.Stdin = strings.NewReader(input)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("kubectl %s: %w\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// must is kubectl where a failure ends the test.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := kubectl(t, "", args...)
	require.NoError(t, err)
	return out
}

func folder(overlay string) string {
	return filepath.Join(manifests.Root, "k8s", "overlays", overlay)
}

// apply is what an operator types, with every warning taken for an error.
func apply(overlay string, more ...string) []string {
	return append([]string{"apply", "--warnings-as-errors", "--validate=strict", "-k", folder(overlay)}, more...)
}

// fresh makes the namespace as the overlays have it, and takes it away again.
func fresh(t *testing.T) {
	t.Helper()
	must(t, "apply", "-f", filepath.Join(manifests.Root, "k8s", "base", "namespace.yaml"))
	t.Cleanup(func() {
		c := exec.Command("kubectl", "--kubeconfig", os.Getenv("TASKWIRE_PLANE"), "delete", "namespace", "taskwire", "--timeout=120s")
		out, err := c.CombinedOutput()
		require.NoError(t, err, string(out))
	})
}

// The API server takes every overlay without a warning, and the controllers make
// its pods: a pod that breaks Pod Security would be taken as a template, and
// never be there.
func TestEveryOverlayIsAccepted(t *testing.T) {
	overlays, err := manifests.Overlays()
	require.NoError(t, err)
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			fresh(t)
			must(t, apply(overlay, "--dry-run=server")...)
			must(t, apply(overlay)...)
			must(t, "diff", "-k", folder(overlay))
			suitetest.Within(t, patience, func() error { return podsAreMade(t) })
			// The nightly job's pod comes from a template, too.
			must(t, "-n", "taskwire", "create", "job", "now", "--from=cronjob/reconcile")
			suitetest.Within(t, patience, func() error {
				if must(t, "-n", "taskwire", "get", "pods", "-l", "job-name=now", "-o", "name") == "" {
					return errors.New("the job has no pod")
				}
				return nil
			})
		})
	}
}

// podsAreMade says which Deployment or StatefulSet has not as many pods as it is
// to have, and why.
func podsAreMade(t *testing.T) error {
	t.Helper()
	const columns = `{range .items[*]}{.kind}/{.metadata.name} {.spec.replicas} {.status.replicas} {.status.conditions[?(@.type=="ReplicaFailure")].message}{"\n"}{end}`
	for line := range strings.SplitSeq(strings.TrimSpace(must(t, "-n", "taskwire", "get", "deployments,statefulsets", "-o", "jsonpath="+columns)), "\n") {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[1] != fields[2] {
			return fmt.Errorf("want as many replicas as there are, and no failure: %s", line)
		}
	}
	return nil
}

// A mistake of each kind is refused by the API server. What it can not know (a
// topic, a type of component, a name) is caught by test/manifests.
func TestAMistakeIsRefused(t *testing.T) {
	whole := map[string]string{}
	for _, overlay := range []string{"local", "production", "serverless"} {
		objects, err := manifests.Render(overlay)
		require.NoError(t, err)
		whole[overlay], err = manifests.Write(objects)
		require.NoError(t, err)
	}
	fresh(t)
	for name, c := range map[string]struct {
		overlay            string // local unless another is named
		right, wrong, says string
	}{
		"a misspelled field of a Deployment":       {right: "revisionHistoryLimit:", wrong: "revisionHistoryLimits:", says: `unknown field "spec.revisionHistoryLimits"`},
		"a misspelled probe":                       {right: "failureThreshold: 60", wrong: "failureTreshold: 60", says: "unknown field"},
		"a selector of other pods":                 {right: "selector:\n        matchLabels:\n            app.kubernetes.io/name: notification", wrong: "selector:\n        matchLabels:\n            app.kubernetes.io/name: other", says: "selector` does not match template"},
		"a privileged container":                   {right: "allowPrivilegeEscalation: false", wrong: "privileged: true", says: `violate PodSecurity "restricted`},
		"a pod that may be root":                   {right: "runAsNonRoot: true", wrong: "runAsNonRoot: false", says: `violate PodSecurity "restricted`},
		"a pod without a seccomp profile":          {right: "type: RuntimeDefault", wrong: "type: Unconfined", says: `violate PodSecurity "restricted`},
		"a component without a type":               {right: "type: pubsub.kafka", wrong: "ignoreErrors: true", says: "spec.type: Required value"},
		"a component with a misspelled field":      {right: "initTimeout: 30s", wrong: "initTimeouts: 30s", says: `unknown field "spec.initTimeouts"`},
		"a subscription without a topic":           {right: "    topic: audit-logs\n", wrong: "", says: "spec.topic: Required value"},
		"a subscription of the first version":      {right: "routes:\n        default: /events/audit-logs", wrong: "route: /events/audit-logs", says: `unknown field "spec.route"`},
		"a misspelled retry":                       {right: "maxRetries: -1", wrong: "maxRetrys: -1", says: "maxRetrys"},
		"a configuration with a half of mTLS":      {right: "        sentryAddress: dapr-sentry.dapr-system.svc.cluster.local:443\n", wrong: "", says: "spec.mtls.sentryAddress: Required value"},
		"an access policy without a name":          {right: "                  name: /internal/occurrences\n", wrong: "", says: "name: Required value"},
		"a network policy of no direction":         {right: "policyTypes:\n        - Ingress", wrong: "policyTypes:\n        - Inwards", says: `Unsupported value: "Inwards"`},
		"a network policy for a protocol of none":  {right: "protocol: UDP", wrong: "protocol: UPD", says: `Unsupported value: "UPD"`},
		"a scaler of more at least than at most":   {overlay: "production", right: "minReplicas: 2", wrong: "minReplicas: 20", says: "maxReplicas: Invalid value"},
		"an ingress of a path that is no kind":     {overlay: "production", right: "pathType: Prefix", wrong: "pathType: Prefixed", says: `Unsupported value: "Prefixed"`},
		"a disruption budget of two contradictory": {overlay: "production", right: "maxUnavailable: 1\n    selector", wrong: "maxUnavailable: 1\n    minAvailable: 1\n    selector", says: "minAvailable and maxUnavailable cannot be both set"},
		"a spread over nothing":                    {overlay: "production", right: "topologyKey: kubernetes.io/hostname", wrong: `topologyKey: ""`, says: "topologyKey: Required value"},
		"a misspelled field of a ScaledObject":     {overlay: "serverless", right: "minReplicaCount: 0", wrong: "minReplicasCount: 0", says: `unknown field "spec.minReplicasCount"`},
		"a ScaledObject without triggers":          {overlay: "serverless", right: "    triggers:\n", wrong: "    trigers:\n", says: `unknown field "spec.trigers"`},
	} {
		t.Run(name, func(t *testing.T) {
			overlay := c.overlay
			if overlay == "" {
				overlay = "local"
			}
			require.Contains(t, whole[overlay], c.right, "there is nothing to break")
			broken := strings.ReplaceAll(whole[overlay], c.right, c.wrong)
			_, err := kubectl(t, broken, "apply", "--warnings-as-errors", "--validate=strict", "--dry-run=server", "-f", "-")
			require.ErrorContains(t, err, c.says)
		})
	}
}
