package manifests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// An operator has no clone: the kustomization.yaml of a release, with the additions
// that docs/operations.md shows, in a folder of his own. The repository stands here
// for its address.
func TestAReleaseIsUsedWithoutAClone(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join(Root, "docs", "operations.md"))
	require.NoError(t, err)
	_, part, _ := strings.Cut(string(guide), "\n#### A release, without a clone\n")
	_, additions, _ := strings.Cut(part, "\n```yaml\n")
	additions, _, ok := strings.Cut(additions, "\n```\n")
	require.True(t, ok)

	// As images/release.go writes it.
	const digest = "sha256:8aaa7f52632f507b64ca0ae2ae1022dbdfddec984dbe20f321e2e4a8c5280d9d"
	var release strings.Builder
	release.WriteString("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: taskwire\nresources:\n" +
		"  - https://github.com/taskwire/taskwire//k8s/overlays/production?ref=v1.2.3\nimages:\n")
	production, err := Render("production")
	require.NoError(t, err)
	services := of(production, "Deployment")
	for _, service := range services {
		name := "ghcr.io/taskwire/" + service.Name()
		release.WriteString("  - name: " + name + "\n    newName: " + name + "\n    digest: " + digest + "\n")
	}

	folder, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	root, err := filepath.Abs(Root)
	require.NoError(t, err)
	root, err = filepath.EvalSymlinks(root)
	require.NoError(t, err)
	way, err := filepath.Rel(folder, root)
	require.NoError(t, err)
	local := strings.NewReplacer("https://github.com/taskwire/taskwire//", way+"/", "?ref=v1.2.3", "").Replace(release.String() + additions + "\n")
	require.NotContains(t, local, "https://github.com")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "kustomization.yaml"), []byte(local), 0o600))
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	require.NoError(t, err)
	whole, err := built.AsYaml()
	require.NoError(t, err)
	objects, err := parse(whole)
	require.NoError(t, err)

	// All that production has, and what the operator has added.
	for _, o := range production {
		require.NotNil(t, find(objects, o.Kind(), o.Name()), o)
	}
	require.NotNil(t, find(objects, "PrometheusRule", "taskwire"))
	require.Equal(t, "taskwire", text(at(find(objects, "PodMonitor", "taskwire-sidecars"), "metadata", "namespace")))
	require.NotContains(t, string(whole), ".example\n", "nothing of ours is left")
	require.Equal(t, 4, strings.Count(string(whole), "tasks.example.org"))
	require.Contains(t, string(whole), "value: 10.244.3.0/24\n")
	images := 0
	for line := range strings.Lines(string(whole)) {
		if _, image, ok := strings.Cut(line, "image: ghcr.io/taskwire/"); ok {
			require.True(t, strings.HasSuffix(strings.TrimSpace(image), "@"+digest), line)
			require.NotContains(t, line, ":dev")
			images++
		}
	}
	require.Equal(t, 2*len(services)+1, images, "a service and its migration each, and reconcile")
}
